/** Reads a body that arrived as one piece, and keeps its bytes counted until the body is sent. */
import { modelAtStart } from "./first-field.ts";
import { formScanner, isForm, judge, NO_BOUNDARY, OTHER } from "./judge.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import { ModelScanner } from "./model-field.ts";
import { type Findings, findIn, toldOf } from "./read-on.ts";
import {
  NOTHING_TOLD,
  type ReadResult,
  type ReadTo,
  type RequestBody,
  type Told,
} from "./read-result.ts";

type WholeReadInit = {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The bytes are counted in here already. */
  readonly kept: KeptBytes;
  readonly verdict: ReadResult["verdict"];
  /** It has scanned as far as the model. Undefined if the model was found without a scanner. */
  readonly scanner: ModelScanner | undefined;
  /** In a form, the proxy looks for no field except the model. */
  readonly isOfForm: boolean;
};

class WholeRead implements ReadResult {
  readonly verdict: ReadResult["verdict"];
  readonly #kept: KeptBytes;
  readonly #isOfForm: boolean;
  /** Undefined after `body()`, like the scanner: this object lives as long as the answer, but they need not. */
  #bytes: Uint8Array<ArrayBuffer> | undefined;
  #scanner: ModelScanner | undefined;
  #counted: number;
  #findings: Findings | undefined;

  constructor({ bytes, kept, verdict, scanner, isOfForm }: WholeReadInit) {
    this.verdict = verdict;
    this.#kept = kept;
    this.#isOfForm = isOfForm;
    this.#bytes = bytes;
    this.#scanner = scanner;
    this.#counted = bytes.length;
  }

  body(to: ReadTo = "model"): RequestBody | Promise<RequestBody> {
    const [bytes, scanner] = [this.#bytes ?? NOTHING, this.#scanner];
    this.#bytes = undefined;
    this.#scanner = undefined;
    const body: RequestBody = { kind: "bytes", bytes };
    if (to === "model") return body;
    return this.#readOn(this.#isOfForm ? undefined : (scanner ?? scannerAtModel(bytes)), to, body);
  }

  async #readOn(
    scanner: ModelScanner | undefined,
    to: Exclude<ReadTo, "model">,
    body: Extract<RequestBody, { kind: "bytes" }>,
  ): Promise<RequestBody> {
    this.#findings = await findIn(body.bytes, scanner, to);
    return body;
  }

  /** Does nothing: the whole body is here. */
  readOn(): Promise<void> {
    return Promise.resolve();
  }

  told(): Told {
    return this.#findings === undefined ? NOTHING_TOLD : toldOf(this.#findings);
  }

  answered(): void {
    // Nothing to do: the whole body has come.
  }

  sent(): void {
    this.release();
  }

  discard(): void {
    this.release();
  }

  release(): void {
    this.#kept.give(this.#counted);
    this.#counted = 0;
  }
}

const NOTHING = new Uint8Array(0);

function scannerAtModel(bytes: Uint8Array): ModelScanner {
  const scanner = new ModelScanner();
  scanner.push(bytes);
  return scanner;
}

/** @param kept the bytes are counted in here already */
export function readWhole(
  bytes: Uint8Array<ArrayBuffer>,
  kept: KeptBytes,
  contentType: string,
  searchesForm: boolean,
): ReadResult {
  const of = { bytes, kept, isOfForm: isForm(contentType), scanner: undefined };
  if (of.isOfForm) {
    return new WholeRead({ ...of, verdict: searchesForm ? searchForm(bytes, contentType) : OTHER });
  }
  const model = modelAtStart(bytes);
  if (model !== undefined) return new WholeRead({ ...of, verdict: { kind: "found", model } });
  const scanner = new ModelScanner();
  const verdict = judge(scanner.push(bytes) ?? scanner.end(), contentType);
  return new WholeRead({ ...of, verdict, scanner });
}

function searchForm(bytes: Uint8Array, contentType: string): ReadResult["verdict"] {
  const form = formScanner(contentType);
  return form === undefined ? NO_BOUNDARY : judge(form.push(bytes) ?? form.end(), contentType);
}
