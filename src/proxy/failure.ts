/**
 * An attempt that brought no answer: what that means for the request, and what the client is told if it is
 * not sent again. Pure but for the answer that it makes. `tries.ts` decides what is tried again.
 */
import { errorCode } from "../ground/error-text.ts";
import type { Unreachable } from "../routing/backend.ts";
import type { Ending } from "../routing/ending.ts";
import { clientGone, errorResponse, outOfDescriptors, quoteModel } from "./own/errors.ts";
import { type AbortReason, PATIENCE } from "./upstream-abort.ts";

/**
 * - `connection refused`, `not connected`: nothing was sent.
 * - `unreachable`: no answer came, and no other connection can be made. Most likely nothing was sent, but the server may
 *   also have had the request before its network went away.
 * - `stale connection`: the server was just closing the connection: most likely it has not seen the request.
 * - `died`: the server had the request, or some of it, and went away before it answered.
 * - `failed`: anything else. Another server would do no better, or the client has gone.
 */
export type FailureKind = Unreachable | "stale connection" | "died" | "failed";

export type Failure = {
  readonly kind: FailureKind;
  readonly error: unknown;
  /** Set if we have ended the attempt ourselves. */
  readonly abortReason: AbortReason | undefined;
  /** Of the run that was asked. Undefined if its server has answered, and only declined. */
  readonly ending: Ending | undefined;
};

/** What an attempt was like. */
export type Circumstances = {
  readonly abortReason: AbortReason | undefined;
  readonly ending: Ending;
  /** It failed so early, on a connection used before, that the server may just have been closing it. */
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

/** The kernel's words for an address that it can't reach: nothing was sent. */
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
 * The run's end is told where it explains the failure. No lease may be open any more: the server may be at its end
 * for a while without telling why.
 *
 * @param about `model`: that the request names, if it names one; `note`: is added to the message
 * @param waitMs how long to wait until it is known how the run has ended
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
  // A container that ends does not answer nonsense, and what we have ended ourselves needs no other reason.
  const mayHaveEnded = kind !== "failed" && abortReason !== "cut";
  const end = mayHaveEnded ? await ending?.known(waitMs) : undefined;
  if (end !== undefined) return `${end.brief} before it answered`;
  const isStopped = abortReason === "cut" || abortReason === "run-over";
  return isStopped ? "was stopped before it answered" : "did not answer";
}
