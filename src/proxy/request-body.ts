/**
 * Reads a request's body as far as its `model`, and gives it on whole: what was read first, then
 * the rest as it comes, at the pace of whoever takes it.
 */
import { ModelScanner, type Verdict } from "./model-field.ts";

/** What is to be sent on: bytes that are all at hand, a stream that can be read once, or nothing. */
export type RequestBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | undefined;

export type ModelField =
  | {
      readonly kind: "found";
      readonly model: string;
      /** All of the body, what was read included. To be called once, or else `discard`. */
      readonly body: () => Promise<RequestBody>;
      readonly discard: () => void;
    }
  /** More than `heldBytesMax` came before the model. */
  | { readonly kind: "too much" }
  | Exclude<Verdict, { kind: "found" }>;

type Reader = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Bodies up to this length are read whole: one piece costs less than a stream. */
const WHOLE_BYTES_MAX = 1024 * 1024;

/**
 * @param heldBytesMax most bytes to hold while the model has not come
 * @throws the stream's error if the client goes away
 */
export async function readModelField(request: Request, heldBytesMax: number): Promise<ModelField> {
  if (request.body === null) return { kind: "missing", why: "no body" };
  const reader: Reader = request.body.getReader();
  const held: Uint8Array[] = [];
  const verdict = await scan(reader, held, heldBytesMax);
  // Nobody will read the rest. Bun answers at once and closes the connection of a client that goes on.
  const discard = (): void => void reader.cancel().catch(() => undefined);
  if (verdict.kind === "found") {
    return { ...verdict, body: () => bodyOf(request, held, reader), discard };
  }
  discard();
  return verdict;
}

async function scan(
  reader: Reader,
  held: Uint8Array[],
  heldBytesMax: number,
): Promise<Verdict | { kind: "too much" }> {
  const scanner = new ModelScanner();
  let heldBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return scanner.end();
    const verdict = scanner.push(value);
    held.push(value);
    heldBytes += value.length;
    if (verdict !== undefined) return verdict;
    if (heldBytes > heldBytesMax) return { kind: "too much" };
  }
}

/** A body of known and small length comes in one piece; Content-Length and chunked stay what they were. */
async function bodyOf(request: Request, held: Uint8Array[], reader: Reader): Promise<RequestBody> {
  const length = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (!(length <= WHOLE_BYTES_MAX)) return heldThenRest(held, reader);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(held);
    held.push(value);
  }
}

/** One piece a pull, no read-ahead: the backend's pace is the client's pace. */
function heldThenRest(held: Uint8Array[], reader: Reader): ReadableStream<Uint8Array> {
  const pieces = held.reverse();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = pieces.pop() ?? (await reader.read()).value;
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
      async cancel(reason) {
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
