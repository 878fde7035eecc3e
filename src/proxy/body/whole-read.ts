/** The body of a request that has come as one piece: what it says, and what is kept of it until it is sent. */
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
  /** Has counted the bytes in. */
  readonly kept: KeptBytes;
  readonly verdict: ReadResult["verdict"];
  /** Has read as far as the model; undefined if none was needed to find it. */
  readonly scanner: ModelScanner | undefined;
  /** A form says nothing beside its model. */
  readonly isOfForm: boolean;
};

class WholeRead implements ReadResult {
  readonly verdict: ReadResult["verdict"];
  readonly #kept: KeptBytes;
  readonly #isOfForm: boolean;
  /** Undefined, and the scanner too, once it was given on: this lives as long as the answer, they need not. */
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

  /** All of it is here. */
  readOn(): Promise<void> {
    return Promise.resolve();
  }

  told(): Told {
    return this.#findings === undefined ? NOTHING_TOLD : toldOf(this.#findings);
  }

  answered(): void {
    // Nothing more is to come.
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

/** @param kept has counted the bytes in */
export function readWhole(
  bytes: Uint8Array<ArrayBuffer>,
  kept: KeptBytes,
  contentType: string,
  searchesForm: boolean,
): ReadResult {
  const of = { bytes, kept, isOfForm: isForm(contentType), scanner: undefined };
  if (of.isOfForm) {
    const form = searchesForm ? formScanner(contentType) : undefined;
    const found = form === undefined ? NO_BOUNDARY : (form.push(bytes) ?? form.end());
    return new WholeRead({ ...of, verdict: searchesForm ? judge(found, contentType) : OTHER });
  }
  const model = modelAtStart(bytes);
  if (model !== undefined) return new WholeRead({ ...of, verdict: { kind: "found", model } });
  const scanner = new ModelScanner();
  const verdict = judge(scanner.push(bytes) ?? scanner.end(), contentType);
  return new WholeRead({ ...of, verdict, scanner });
}
