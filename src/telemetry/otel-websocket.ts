/**
 * Reports a WebSocket from the server's 101 to its end, in metrics and in the SERVER span of its request. The
 * handshake is a normal call: see otel-call.ts. Does not see the messages.
 */
import type { Attributes } from "@opentelemetry/api";
import { BROKEN_OFF, wordOfBreak, wordsOfBreak } from "./call-errors.ts";
import { type CallOwner, type ReportEnd, SWITCHING_PROTOCOLS } from "./reporting.ts";
import { reasonOf } from "./run-end.ts";
import type { Passed, ReportedEnding, SocketEnd } from "./telemetry.ts";

type WebSocketInit = {
  readonly request: CallOwner;
  /** The value of the label `model` at the beginning of the call. */
  readonly label: string;
  /** The end of the server's run. */
  readonly ending: ReportedEnding | undefined;
};

/**
 * Begins with the 101. This report takes over the in-flight count of the call.
 *
 * @returns a function that ends the report of the whole request; only the first call counts
 */
export function reportWebSocket(
  init: WebSocketInit,
): (end: SocketEnd, abortReason: string | undefined) => void {
  const { request, label } = init;
  const { websockets, inflight } = request.reporting.instruments;
  const startMs = performance.now();
  let isOpen = true;
  websockets.add(1, { model: label });
  return (end, abortReason) => {
    if (!isOpen) return;
    isOpen = false;
    websockets.add(-1, { model: label });
    inflight.add(-1, { model: label });
    const ms = Math.round(performance.now() - startMs);
    request.end(outcomeOf(init, end, { ms, abortReason }), false, attributesOf(end));
  };
}

function outcomeOf(
  { request, ending }: WebSocketInit,
  end: SocketEnd,
  { ms, abortReason }: { readonly ms: number; readonly abortReason: string | undefined },
): ReportEnd {
  const { error, fromClient, fromServer, cancelled } = end;
  // A WebSocket that the proxy ended is incomplete, even without an error.
  const cause = error ?? abortReason;
  const word = wordOfBreak({ error: cause, ...(cancelled && { cancelled }) }, abortReason);
  if (word === undefined) return { status: SWITCHING_PROTOCOLS, errorType: undefined };
  const messages = fromClient.messages + fromServer.messages;
  const reason = wordsOfBreak(cancelled ? undefined : error, abortReason);
  request.addEvent(word, { messages, ms, reason });
  const progress = `after ${messages} messages and ${ms} ms`;
  return {
    ...{ status: SWITCHING_PROTOCOLS, errorType: word, progress },
    message: `${progress}: ${reason}`,
    ...(word === BROKEN_OFF && reasonOf(ending, error, abortReason)),
  };
}

function attributesOf({ fromClient, fromServer, closeCode }: SocketEnd): Attributes {
  return {
    ...passed("client", fromClient),
    ...passed("server", fromServer),
    "proxy.websocket.close_code": closeCode,
  };
}

function passed(sender: "client" | "server", { messages, bytes }: Passed): Attributes {
  return {
    [`proxy.websocket.${sender}.messages`]: messages,
    [`proxy.websocket.${sender}.bytes`]: bytes,
  };
}
