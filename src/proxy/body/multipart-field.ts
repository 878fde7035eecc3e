/**
 * Finds the form field `model` of a multipart/form-data body that arrives in pieces, before or after its files.
 * Source: RFC 7578, RFC 2046 §5.1. Pure over bytes: it keeps only the headers of the current part, or the model.
 * In all other content it only looks for the boundary.
 *
 *     content of        CRLF--boundary           CRLF              empty line
 *     the preamble ─┐                        ┌─────────▶ headers ─┬──────────▶ content of the model
 *     other parts  ─┼──────────────▶ boundary┤                    └──────────▶ content of another part
 *     the model    ─┘                        ├─ --, end of line or body ─▶ missing
 *                                            └─ other byte: it was content, go back
 *
 * The model is complete when the whole boundary line after it has come. The scanner reads no further, so the
 * first of two models wins.
 *
 * - Lines end in CRLF; the scanner refuses LF alone. If LF counted as a line break, a text file could end its own
 *   part. python-multipart (used by vLLM and SGLang) refuses it too. Only the closing line may end in LF, because
 *   the scanner reads nothing after it.
 * - A line that continues after the boundary is content, as in python-multipart (RFC 2046 says that it ends the
 *   part).
 * - The encoding and the charset of a part are ignored (RFC 7578 §4.7 deprecates them): the model is UTF-8.
 */
import { JoinedBytes } from "../../ground/joined-bytes.ts";
import { BoundarySearch, headerParameters, withoutParameters } from "./multipart-syntax.ts";
import { MODEL_BYTES_MAX, type Verdict } from "./verdict.ts";

/** The part that the current content belongs to. A preamble may come before the first boundary. */
type Part = "preamble" | "other" | "model";

/** The states after a boundary. Padding (RFC 2046 §5.1.1) may come before the end of the line. */
type Line = "boundary" | "padding" | "lineEnd" | "dash" | "closing" | "closingEnd";

type State = "content" | Line | "headers";

const AFTER_BOUNDARY: Readonly<Record<Line, Readonly<Record<string, State | "closed">>>> = {
  boundary: { " ": "padding", "\t": "padding", "\r": "lineEnd", "-": "dash" },
  padding: { " ": "padding", "\t": "padding", "\r": "lineEnd" },
  lineEnd: { "\n": "headers" },
  dash: { "-": "closing" },
  closing: { " ": "closing", "\t": "closing", "\r": "closingEnd", "\n": "closed" },
  closingEnd: { "\n": "closed" },
};

const LF = 0x0a;
const KIB = 1024;

/** RFC 2046 §5.1.1 allows 70, but some clients send more; python-multipart accepts 256. */
const BOUNDARY_LENGTH_MAX = 256;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;

/** For all headers of one part together. */
const HEADER_BYTES_MAX = 16 * KIB;
/** For the padding after the boundary that ends the model. It is kept until it is clear that it is padding. */
const PADDING_BYTES_MAX = KIB;

const NO_MODEL: Verdict = { kind: "missing", reason: "no model" };
const TOO_LONG: Verdict = { kind: "missing", reason: "too long" };

const DISPOSITION = 'the header "Content-Disposition: form-data; name=…" of a part';

/** `ignoreBOM`: keeps U+FEFF as a character of the model. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export class MultipartScanner {
  #state: State = "content";
  #part: Part = "preamble";
  /** Bytes of all earlier pieces. */
  #before = 0;
  /** Position in the current piece. */
  #at = 0;
  readonly #boundary: string;
  readonly #search: BoundarySearch;
  /** Offset in the body of the last delimiter, including its line break. */
  #delimiterStart = 0;
  /** Offset in the body of the current headers or content. */
  #start = 0;
  /** The current header line; or the model and the bytes after it that may be a boundary line. */
  readonly #kept = new JoinedBytes();
  /** The headers of the current part, with folded lines joined. */
  #headers: string[] = [];

  /** @param boundary as `boundaryOf` returns it */
  constructor(boundary: string) {
    this.#boundary = boundary;
    this.#search = new BoundarySearch(boundary);
  }

  /** @returns the verdict as soon as there is one; then no later piece is needed */
  push(piece: Uint8Array): Verdict | undefined {
    this.#at = 0;
    while (this.#at < piece.length) {
      const verdict = this.#step(piece);
      if (verdict !== undefined) return verdict;
    }
    this.#before += piece.length;
    this.#at = 0;
    return undefined;
  }

  /** Called when the body ends without a verdict. */
  end(): Verdict {
    if (this.#before === 0) return { kind: "missing", reason: "no body" };
    switch (this.#state) {
      case "closing":
      case "closingEnd":
        return this.#endOfPart() ?? NO_MODEL;
      case "headers":
        return this.#invalid("the rest of the headers of a part");
      default:
        return this.#invalid(this.#missingBoundary());
    }
  }

  /** Consumes a byte or more, or changes the state. */
  #step(piece: Uint8Array): Verdict | undefined {
    switch (this.#state) {
      case "content":
        return this.#readContent(piece);
      case "headers":
        return this.#readHeader(piece);
      default:
        return this.#readAfterBoundary(this.#state, piece);
    }
  }

  #readContent(piece: Uint8Array): Verdict | undefined {
    const end = this.#search.find(piece, this.#at);
    if (end === -1) return this.#take(piece, piece.length);
    this.#delimiterStart = this.#before + end - this.#search.delimiterBytes;
    this.#state = "boundary";
    return this.#take(piece, end);
  }

  #readAfterBoundary(line: Line, piece: Uint8Array): Verdict | undefined {
    const byte = piece[this.#at] ?? 0;
    const next = AFTER_BOUNDARY[line][String.fromCharCode(byte)];
    if (next === undefined) {
      if (byte === LF && this.#part === "preamble") return this.#invalid(this.#missingBoundary());
      this.#state = "content"; // that state consumes the byte
      return undefined;
    }
    const tooLong = this.#take(piece, this.#at + 1);
    if (tooLong !== undefined) return tooLong;
    if (next === "closed") return this.#endOfPart() ?? NO_MODEL;
    this.#state = next;
    return next === "headers" ? (this.#endOfPart() ?? this.#startHeaders()) : undefined;
  }

  #startHeaders(): undefined {
    this.#headers = [];
    this.#start = this.#before + this.#at;
  }

  #readHeader(piece: Uint8Array): Verdict | undefined {
    const feed = piece.indexOf(LF, this.#at);
    const tooLong = this.#take(piece, feed === -1 ? piece.length : feed + 1);
    if (tooLong !== undefined || feed === -1) return tooLong;
    const line = Buffer.from(this.#kept.bytes).toString("latin1");
    this.#kept.clear();
    const lineStart = this.#before + this.#at - line.length;
    if (!line.endsWith("\r\n")) {
      return this.#invalid("CRLF (not LF alone) after a header", this.#before + this.#at - 1);
    }
    if (line === "\r\n") return this.#startContent();
    const last = this.#headers.length - 1;
    if (last >= 0 && /^[ \t]/.test(line)) this.#headers[last] += line;
    else if (line.includes(":")) this.#headers.push(line);
    else return this.#invalid('the ":" of a header', lineStart);
    return undefined;
  }

  #startContent(): Verdict | undefined {
    const part = partOf(this.#headers);
    if (part === undefined) return this.#invalid(DISPOSITION, this.#start);
    this.#part = part;
    this.#state = "content";
    this.#start = this.#before + this.#at;
    this.#search.restartBehindLineBreak(); // RFC 2046 §5.1.1: a part may be headers alone
    return undefined;
  }

  /** @returns the verdict if the part that just ended is the model */
  #endOfPart(): Verdict | undefined {
    if (this.#part !== "model") return undefined;
    const length = Math.max(0, this.#delimiterStart - this.#start);
    if (length > MODEL_BYTES_MAX) return TOO_LONG;
    const model = utf8.decode(this.#kept.bytes.subarray(0, length));
    return model === "" ? { kind: "missing", reason: "empty" } : { kind: "found", model };
  }

  /** Consumes the bytes up to `end`, and keeps them if they belong to headers or to the model. */
  #take(piece: Uint8Array, end: number): Verdict | undefined {
    const from = this.#at;
    this.#at = end;
    const isModel = this.#part === "model";
    if (!isModel && this.#state !== "headers") return undefined;
    const bytes = this.#before + end - this.#start;
    if (isModel && bytes > MODEL_BYTES_MAX + this.#search.delimiterBytes + PADDING_BYTES_MAX) {
      return TOO_LONG;
    }
    if (!isModel && bytes > HEADER_BYTES_MAX) {
      const expected = `the end of the headers of a part within ${HEADER_BYTES_MAX / KIB} KiB`;
      return this.#invalid(expected, this.#start + HEADER_BYTES_MAX);
    }
    this.#kept.append(piece.subarray(from, end));
    return undefined;
  }

  #missingBoundary(): string {
    const boundary = JSON.stringify(`--${this.#boundary}`);
    if (this.#part !== "preamble") return `the closing boundary ${boundary.slice(0, -1)}--"`;
    return this.#state === "content"
      ? `the boundary ${boundary} of the first part`
      : `CRLF (not LF alone) after the boundary ${boundary}`;
  }

  #invalid(expected: string, offset = this.#before + this.#at): Verdict {
    return { kind: "invalid", offset, expected };
  }
}

/**
 * @param contentType value of the header
 * @returns undefined if it names no boundary, or one that is not usable
 */
export function boundaryOf(contentType: string): string | undefined {
  const boundary = headerParameters(contentType).get("boundary") ?? "";
  const usable = boundary.length <= BOUNDARY_LENGTH_MAX && PRINTABLE_ASCII.test(boundary);
  return usable ? boundary : undefined;
}

/** A part with a file name is a file (RFC 7578 §4.2). @returns undefined if it is not a form part */
function partOf(headers: readonly string[]): Part | undefined {
  const header = headers.find((line) => /^content-disposition[ \t]*:/i.test(line)) ?? "";
  const disposition = header.slice(header.indexOf(":") + 1);
  const parameters = headerParameters(disposition);
  if (withoutParameters(disposition) !== "form-data" || !parameters.has("name")) return undefined;
  const isFile = parameters.has("filename") || parameters.has("filename*");
  return !isFile && parameters.get("name") === "model" ? "model" : "other";
}
