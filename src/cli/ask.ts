/** One question to the proxy that runs here, and its reply. Knows no command. */
import { errorCode, errorText } from "../ground/error-text.ts";
import { type OwnRequestInit, ownRequest, readText } from "../ground/own-request.ts";

/** Anything may listen there, so a reply has limits of time and of size. */
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
      /** Of the error. */
      readonly code?: string | undefined;
    };

/**
 * Asks `url` and reads all of the reply. Never rejects.
 *
 * @param how over which socket, and with which method, if it is no GET over the network
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
    return `nothing came within ${timeoutMs / 1_000} s`;
  }
  const code = errorCode(error);
  return code === "ECONNREFUSED" || code === "ConnectionRefused"
    ? "connection refused"
    : (code ?? errorText(error));
}
