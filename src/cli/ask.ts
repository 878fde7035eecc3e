/** Sends one request to the local proxy and reads its reply. Knows no command. */
import { errorCode, errorText } from "../ground/error-text.ts";
import { type OwnRequestInit, ownRequest, readText } from "../ground/own-request.ts";

/** Any program may listen there, so a reply has a time limit and a size limit. */
export type ReplyLimits = { readonly timeoutMs: number; readonly bytesMax: number };

export type Reply =
  | {
      readonly kind: "reply";
      readonly url: string;
      readonly status: number;
      readonly body: string;
    }
  | {
      readonly kind: "none";
      readonly reason: string;
      /** The code of the error. */
      readonly code?: string | undefined;
    };

/**
 * Sends a request to `url` and reads the whole reply. Never rejects.
 *
 * @param how the socket and the method; default: a GET over the network
 */
export async function ask(
  url: string,
  { timeoutMs, bytesMax }: ReplyLimits,
  how: Pick<OwnRequestInit, "method" | "unix"> = {},
): Promise<Reply> {
  try {
    const response = await ownRequest(url, { ...how, signal: AbortSignal.timeout(timeoutMs) });
    const body = await readText(response, bytesMax);
    return { kind: "reply", url, status: response.status, body };
  } catch (error) {
    const reason = `no proxy answers at ${how.unix ?? url}: ${explain(error, timeoutMs)}`;
    return { kind: "none", reason, code: errorCode(error) };
  }
}

function explain(error: unknown, timeoutMs: number): string {
  if (error instanceof Error && error.name === "TimeoutError") {
    return `no answer within ${timeoutMs / 1_000} s`;
  }
  const code = errorCode(error);
  return code === "ECONNREFUSED" || code === "ConnectionRefused"
    ? "connection refused"
    : (code ?? errorText(error));
}
