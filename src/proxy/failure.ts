/**
 * An attempt that brought no answer: whether the request may be sent again, and what the client is told if
 * it is not. Pure but for the answer that it makes.
 */
import { errorCode } from "../ground/error-text.ts";
import { clientGone, errorResponse, outOfDescriptors, quoteModel } from "./own/errors.ts";
import type { AbortReason } from "./upstream-abort.ts";

export type Failure = {
  /**
   * - `stale connection`: the server was just closing the connection. The request may be sent again.
   * - `connection refused`: nothing was sent. Another server of the model may take it.
   * - `failed`: it must not be sent again. The server may have been at work on it, or the body is gone.
   */
  readonly kind: "failed" | "stale connection" | "connection refused";
  readonly error: unknown;
  /** Set if we have ended the attempt ourselves. */
  readonly abortReason: AbortReason | undefined;
};

/** What an attempt was like. */
export type Circumstances = {
  readonly abortReason: AbortReason | undefined;
  /** The body is at hand, or there is none. */
  readonly canResend: boolean;
  /** It failed so early, on a connection used before, that the server may just have been closing it. */
  readonly mayBeStale: boolean;
};

export function failureOf(
  error: unknown,
  { abortReason, canResend, mayBeStale }: Circumstances,
): Failure {
  return {
    kind: kindOf(error, abortReason === undefined && canResend, mayBeStale),
    error,
    abortReason,
  };
}

function kindOf(error: unknown, mayResend: boolean, mayBeStale: boolean): Failure["kind"] {
  if (mayResend && errorCode(error) === "ECONNREFUSED") return "connection refused";
  if (mayResend && mayBeStale && errorCode(error) === "ECONNRESET") return "stale connection";
  return "failed";
}

/** @param model that the request names, if it names one */
export function failureResponse(
  { error, abortReason }: Failure,
  model: string | undefined,
): Response {
  if (abortReason === "client gone") return clientGone();
  if (errorCode(error) === "EMFILE") return outOfDescriptors("forward");
  const isStopped = abortReason === "cut" || abortReason === "run-over";
  const what = isStopped ? "was stopped before it answered" : "did not answer";
  return errorResponse(
    "backend_unreachable",
    `Cannot forward the request: the server ${model === undefined ? "" : `of model ${quoteModel(model)} `}${what}`,
  );
}
