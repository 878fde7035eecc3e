/**
 * Reads an answer of the engine, or of a socket proxy in front of it: as text, or as a stream of
 * bytes. An answer that can't be used becomes an `EngineError`. This file does not know what an
 * answer means.
 */
import { AnswerRefused, identityBody, readText } from "../ground/own-request.ts";
import {
  type EngineAddress,
  EngineError,
  refusalError,
  showAddress,
  unreachable,
} from "./error.ts";

export type EngineAnswer = {
  readonly address: EngineAddress;
  /** The request that this answers, like `GET /containers/json`. */
  readonly request: string;
  readonly response: Response;
};

/** We read at most this much of a refusal. Its body is a sentence, or an HTML page of a socket proxy. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/**
 * @throws {EngineError} if the answer is a refusal, is larger than `bytesMax`, is encoded, or
 * breaks off
 */
export async function readReply(answer: EngineAnswer, bytesMax: number): Promise<string> {
  if (!answer.response.ok) throw await refusal(answer);
  try {
    return await readText(answer.response, bytesMax);
  } catch (error) {
    throw unreadable(answer, error);
  }
}

/**
 * Opens the body as a stream of bytes. The stream never throws when it is cut off: every restart of
 * the engine does that, so any end is a normal end.
 *
 * @throws {EngineError} if the answer is a refusal, or is encoded
 */
export async function openBody(answer: EngineAnswer): Promise<AsyncIterable<Uint8Array>> {
  if (!answer.response.ok) throw await refusal(answer);
  try {
    return untilCut(await identityBody(answer.response));
  } catch (error) {
    throw unreadable(answer, error);
  }
}

/** Drops the rest of an answer that we do not read. */
export function letGo(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

async function* untilCut(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body) yield piece;
  } catch {
    // The engine has stopped, or something between us and the engine has closed the connection.
  }
}

/**
 * Makes the error for a refusal. If we refuse to read the body, the error still has the status,
 * which says more. If the body breaks off, the engine counts as unreachable.
 */
async function refusal({ address, request, response }: EngineAnswer): Promise<EngineError> {
  const { status } = response;
  try {
    return refusalError(request, status, await readText(response, REFUSAL_BYTES_MAX));
  } catch (error) {
    return error instanceof AnswerRefused
      ? refusalError(request, status, error.message)
      : unreachable(address, error);
  }
}

function unreadable({ address, request }: EngineAnswer, cause: unknown): EngineError {
  if (!(cause instanceof AnswerRefused)) return unreachable(address, cause);
  const message = `Cannot use the answer of ${showAddress(address)} to ${request}: ${cause.message}`;
  return new EngineError(message, { kind: "refused", cause });
}
