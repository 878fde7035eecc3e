/**
 * Judges an attempt that brought no answer, and makes the client's error answer if the request is not sent again. Pure,
 * except that it makes an answer and waits for the reason. `tries.ts` decides about another try.
 */
import { errorCode } from "../ground/error-text.ts";
import type { Unreachable } from "../routing/backend.ts";
import type { Ending } from "../routing/ending.ts";
import { clientGone, errorResponse, outOfDescriptors, quoteModel } from "./own/errors.ts";
import { type AbortReason, PATIENCE } from "./upstream-abort.ts";

/**
 * - `connection refused`, `not connected`: nothing was sent.
 * - `unreachable`: no answer came, and a second connection is not possible. Most likely nothing was sent, but the server
 *   may have received the request before its network failed.
 * - `stale connection`: the server was closing the connection. Most likely it has not seen the request.
 * - `died`: the server had at least a part of the request, and went away before it answered.
 * - `failed`: any other failure. Another server would fail too, or the client has gone.
 */
export type FailureKind = Unreachable | "stale connection" | "died" | "failed";

export type Failure = {
  readonly kind: FailureKind;
  readonly error: unknown;
  /** Set if the proxy ended the attempt. */
  readonly abortReason: AbortReason | undefined;
  /** The ending of the run that was asked. Undefined if its server declined the request with an answer. */
  readonly ending: Ending | undefined;
};

/** Facts about a failed attempt. */
export type Circumstances = {
  readonly abortReason: AbortReason | undefined;
  readonly ending: Ending;
  /** It failed early on a reused connection: the server may have been closing that connection. */
  readonly mayBeStale: boolean;
};

export function isUnreachable(kind: FailureKind): kind is Unreachable {
  return kind === "connection refused" || kind === "not connected" || kind === "unreachable";
}

export function failureOf(
  error: unknown,
  { abortReason, mayBeStale, ending }: Circumstances,
): Failure {
  const kind =
    abortReason === undefined ? kindOf(errorCode(error), mayBeStale) : BY_REASON[abortReason];
  return { kind, error, abortReason, ending };
}

const BY_REASON: Readonly<Record<AbortReason, FailureKind>> = {
  "client gone": "failed",
  "connect timed out": "unreachable",
  cut: "died",
  "run-over": "died",
};

/** The kernel's codes for an address that it can't reach: nothing was sent. */
const NOT_CONNECTED: ReadonlySet<string | undefined> = new Set([
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
]);

function kindOf(code: string | undefined, mayBeStale: boolean): FailureKind {
  if (code === "ECONNREFUSED") return "connection refused";
  if (NOT_CONNECTED.has(code)) return "not connected";
  if (code !== "ECONNRESET") return "failed";
  return mayBeStale ? "stale connection" : "died";
}

/**
 * Names the run's end where it explains the failure. The caller must have ended the lease: learning how the server
 * ended may take a while.
 *
 * @param about `model`: the model in the request, if it names one; `note`: the end of the message
 * @param waitMs how long to wait for the run's end
 */
export async function failureResponse(
  failure: Failure,
  about: { readonly model: string | undefined; readonly note?: string },
  waitMs = PATIENCE.runEndMs,
): Promise<Response> {
  const { error, abortReason } = failure;
  if (abortReason === "client gone") return clientGone();
  if (errorCode(error) === "EMFILE") return outOfDescriptors("forward");
  const { model, note = "" } = about;
  const server = model === undefined ? "the server" : `the server of model ${quoteModel(model)}`;
  const did = await whatItDid(failure, waitMs);
  return errorResponse(
    "backend_unreachable",
    `Cannot forward the request: ${server} ${did}${note}`,
  );
}

async function whatItDid({ kind, abortReason, ending }: Failure, waitMs: number): Promise<string> {
  // An ending container does not send an invalid answer, and an attempt that we cut needs no other reason.
  const mayHaveEnded = kind !== "failed" && abortReason !== "cut";
  const end = mayHaveEnded ? await ending?.known(waitMs) : undefined;
  if (end !== undefined) return `${end.brief} before it answered`;
  const isStopped = abortReason === "cut" || abortReason === "run-over";
  return isStopped
    ? "was stopped before it answered; try again"
    : "did not answer; its log may say why";
}
