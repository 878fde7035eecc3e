/** An answer of the engine, or of what stands in front of it → its text or its bytes, or an EngineError. */
import { AnswerRefused, identityBody, readText } from "../ground/own-request.ts";
import { type EngineAddress, EngineError, refused, showAddress, unreachable } from "./error.ts";

export type EngineAnswer = {
  readonly address: EngineAddress;
  /** What it answers, like `GET /containers/json`. */
  readonly request: string;
  readonly response: Response;
};

/** Of what comes with a refusal: a sentence, or a page of a socket proxy's. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/** @throws {EngineError} if it is a refusal, larger than `bytesMax`, encoded, or breaks off */
export async function readReply(answer: EngineAnswer, bytesMax: number): Promise<string> {
  if (!answer.response.ok) throw await refusal(answer);
  try {
    return await readText(answer.response, bytesMax);
  } catch (error) {
    throw unreadable(answer, error);
  }
}

/**
 * The bytes as they come; however they end, that is normal: a restart of the engine cuts them off.
 *
 * @throws {EngineError} if it is a refusal, or encoded
 */
export async function openBody(answer: EngineAnswer): Promise<AsyncIterable<Uint8Array>> {
  if (!answer.response.ok) throw await refusal(answer);
  try {
    return untilCut(await identityBody(answer.response));
  } catch (error) {
    throw unreadable(answer, error);
  }
}

/** Nobody reads the rest of it. */
export function letGo(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

async function* untilCut(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of body) yield piece;
  } catch {
    // the engine stopped, or something between us lost patience
  }
}

/** Whatever comes with it, its status tells more than that it can't be read. */
async function refusal({ address, request, response }: EngineAnswer): Promise<EngineError> {
  const { status } = response;
  try {
    return refused(request, status, await readText(response, REFUSAL_BYTES_MAX));
  } catch (error) {
    return error instanceof AnswerRefused
      ? refused(request, status, error.message)
      : unreachable(address, error);
  }
}

function unreadable({ address, request }: EngineAnswer, cause: unknown): EngineError {
  if (!(cause instanceof AnswerRefused)) return unreachable(address, cause);
  const message = `Cannot use what ${showAddress(address)} answers to ${request}: ${cause.message}`;
  return new EngineError(message, { kind: "refused", cause });
}
