/** The codes of Close frames (RFC 6455 §7.4, RFC 7936), and those that the proxy sends itself. Pure. */

/** What a Close frame says. */
export type Close = { readonly code: number; readonly reason: string };

export const GOING_AWAY = 1001;
/** In place of the code of a Close frame that has none. Never sent. */
export const NO_CODE = 1005;
/** In place of the code where there was no Close frame. Never sent. */
export const ABNORMAL = 1006;
export const MESSAGE_TOO_BIG = 1009;
const INTERNAL_ERROR = 1011;
const SERVICE_RESTART = 1012;

/** Longest message either way, bytes; uvicorn's limit too. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** The longest reason, bytes (RFC 6455 §5.5). */
const REASON_BYTES_MAX = 123;

/** The time to finish is up. OpenAI's SDK connects again after this code. */
export const CUT: Close = {
  code: SERVICE_RESTART,
  reason: "being stopped or replaced: connect again",
};

/** The server has sent a message that is too long. */
export const TOO_LONG_MESSAGE: Close = {
  code: INTERNAL_ERROR,
  reason: `the server has sent a message of more than ${MESSAGE_BYTES_MAX / 1024 / 1024} MiB`,
};

/** @param brief how the server's run has ended, in ASCII; undefined if nobody knows */
export function serverEnded(brief = "is gone"): Close {
  return { code: INTERNAL_ERROR, reason: `the server ${brief}`.slice(0, REASON_BYTES_MAX) };
}

/** What Bun says of a client's message that is too long, in place of the reason of a Close frame (measured, 1.4.5). */
export const TOO_BIG = "Received too big message";
/** The code of the error of the client `ws` where a server's is. */
export const TOO_LONG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

/** The end of a server's connection of which the client `ws` says no more. */
export const NO_CLOSE_FRAME = Object.assign(new Error("no Close frame"), { code: "ECONNRESET" });

/** Says whether a code may be in a Close frame. */
export function isSendable(code: number): boolean {
  const isReserved = code === 1004 || code === NO_CODE || code === ABNORMAL;
  return (code >= 1000 && code <= 1014 && !isReserved) || (code >= 3000 && code <= 4999);
}
