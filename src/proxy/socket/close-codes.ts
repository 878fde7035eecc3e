/** The codes of Close frames (RFC 6455 §7.4, RFC 7936), and the Close frames that the proxy sends itself. Pure. */

/** The content of a Close frame. */
export type Close = { readonly code: number; readonly reason: string };

export const GOING_AWAY = 1001;
/** Stands for a Close frame without a code. Never sent. */
export const NO_CODE = 1005;
/** Stands for an end without a Close frame. Never sent. */
export const ABNORMAL = 1006;
export const MESSAGE_TOO_BIG = 1009;
const INTERNAL_ERROR = 1011;
const SERVICE_RESTART = 1012;

/** The longest message in either direction, bytes. uvicorn has the same limit. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
/** The longest reason, bytes (RFC 6455 §5.5). */
const REASON_BYTES_MAX = 123;

/** Sent when the time to finish is over. OpenAI's SDK reconnects after this code. */
export const CUT: Close = {
  code: SERVICE_RESTART,
  reason: "being stopped or replaced: connect again",
};

/** The server has sent a message that is too long. */
export const TOO_LONG_MESSAGE: Close = {
  code: INTERNAL_ERROR,
  reason: `the server has sent a message of more than ${MESSAGE_BYTES_MAX / 1024 / 1024} MiB`,
};

/** @param brief how the server's run ended, in ASCII; undefined if that is not known */
export function serverEnded(brief = "is gone"): Close {
  return { code: INTERNAL_ERROR, reason: `the server ${brief}`.slice(0, REASON_BYTES_MAX) };
}

/** The close reason that Bun reports when a client's message is too long (measured, 1.4.5). */
export const TOO_BIG = "Received too big message";
/** The error code of the client `ws` when a server's message is too long. */
export const TOO_LONG = "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";

/** Used when a server's connection ends without a Close frame and the client `ws` reports no error. */
export const NO_CLOSE_FRAME = Object.assign(new Error("no Close frame"), { code: "ECONNRESET" });

/** Tells whether a Close frame may have this code. */
export function isSendable(code: number): boolean {
  const isReserved = code === 1004 || code === NO_CODE || code === ABNORMAL;
  return (code >= 1000 && code <= 1014 && !isReserved) || (code >= 3000 && code <= 4999);
}
