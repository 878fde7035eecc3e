/** The WebSockets of the stand-in: which handshakes it accepts, their messages, and their ends. */
import { parseFields } from "./call.ts";
import { type Control, refuse } from "./control.ts";
import {
  abortEntry,
  endSocketEntry,
  finishEntry,
  openSocketEntry,
  type SocketEntry,
} from "./journal.ts";
import { openAiError } from "./openai.ts";
import { openRealtime } from "./realtime.ts";
import { openResponses } from "./responses-socket.ts";
import type { OpenSession, Session, SocketEvent } from "./sessions.ts";
import type { Settings, SocketPath } from "./settings.ts";

const OPEN_BY_PATH: Readonly<Record<SocketPath, OpenSession>> = {
  "/realtime": openRealtime,
  "/responses": openResponses,
};

/** The state of one WebSocket. */
export type Peer = {
  readonly entry: SocketEntry;
  readonly session: Session;
  readonly left: AbortController;
  /** Pending while the queue has messages that the client has not taken. */
  drained: PromiseWithResolvers<void> | undefined;
  isClosedByUs: boolean;
};

type PeerSocket = Bun.ServerWebSocket<Peer>;

export class Sockets {
  readonly #settings: Settings;
  readonly #open = new Set<PeerSocket>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** See `CloseSockets` in control.ts. */
  close(code: number, reason: string): number {
    const open = [...this.#open];
    for (const socket of open) {
      socket.data.isClosedByUs = true;
      if (code === 1006) socket.terminate();
      else socket.close(code, reason);
    }
    return open.length;
  }

  /** The path if the request is a handshake to accept or refuse. Undefined: it is an ordinary request. */
  pathOf(request: Request, path: string): SocketPath | undefined {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
    if (path !== "/realtime" && path !== "/responses") return undefined;
    return this.#settings.upgrades[path] === "http" ? undefined : path;
  }

  /** @returns undefined when the connection has become a WebSocket */
  async answer(
    request: Request,
    server: Bun.Server<Peer>,
    path: SocketPath,
    control: Control,
  ): Promise<Response | undefined> {
    const { pathname, search, searchParams } = new URL(request.url);
    const entry = openSocketEntry(request, pathname + search);
    entry.model = searchParams.get("model");
    control.journal.push(entry);
    const refusal = this.#refusal(path, entry.model) ?? control.refusal();
    if (refusal !== undefined) {
      entry.socket.status = refusal.status;
      finishEntry(entry);
      return refusal;
    }
    const left = new AbortController();
    const init = {
      settings: this.#settings,
      model: entry.model ?? this.#settings.models[0] ?? "",
      signal: left.signal,
      gate: control.gate,
      onModel: (model: string) => {
        entry.model = model;
      },
    };
    const session = OPEN_BY_PATH[path](init);
    const data = { entry, session, left, drained: undefined, isClosedByUs: false };
    // The gate comes before the handshake, so that a test can have a pending handshake.
    await control.gate.pass(request.signal).catch(() => undefined);
    entry.socket.status = 101;
    if (server.upgrade(request, { data, headers: this.#headers(request) })) return undefined;
    entry.socket.status = null;
    abortEntry(entry);
    return new Response(null, { status: 400 });
  }

  #refusal(path: SocketPath, model: string | null): Response | undefined {
    const mode = this.#settings.upgrades[path];
    if (typeof mode === "number") return refuse({ status: mode, retryAfter: null });
    if (model === null || this.#settings.models.includes(model)) return undefined;
    const message = `The model \`${model}\` does not exist.`;
    return Response.json(openAiError(404, "NotFoundError", message, "model"), { status: 404 });
  }

  #headers(request: Request): Readonly<Record<string, string>> {
    const { subprotocol, name } = this.#settings;
    const offered = request.headers.get("sec-websocket-protocol")?.split(",") ?? [];
    const isOffered = offered.some((protocol) => protocol.trim() === subprotocol);
    // Without this header Bun chooses the first offered subprotocol.
    const chosen = isOffered ? (subprotocol ?? "") : "";
    return { "sec-websocket-protocol": chosen, "x-served-by": name };
  }

  readonly handler: Bun.WebSocketHandler<Peer> = {
    idleTimeout: 0,
    perMessageDeflate: true, // as uvicorn, for clients that offer it
    maxPayloadLength: 16 * 1024 * 1024, // as uvicorn
    open: (socket) => {
      this.#open.add(socket);
      const greeting = socket.data.session.greeting();
      if (greeting !== undefined) socket.sendText(JSON.stringify(greeting));
    },
    message: (socket, message) => void reply(socket, message),
    drain: ({ data }) => {
      data.drained?.resolve();
      data.drained = undefined;
    },
    close: (socket, code, reason) => {
      this.#open.delete(socket);
      const { entry, left, drained, isClosedByUs } = socket.data;
      endSocketEntry(entry, { code, reason, by: isClosedByUs ? "server" : "client" });
      left.abort();
      drained?.resolve();
    },
  };
}

async function reply(socket: PeerSocket, message: string | Buffer): Promise<void> {
  const { entry, session, left } = socket.data;
  const text = message.toString();
  const fields = parseFields(text);
  const type = fields?.["type"];
  entry.socket.received.push(typeof type === "string" ? type : null);
  try {
    for await (const event of session.reply(fields, Buffer.byteLength(text))) {
      if (left.signal.aborted) return;
      await send(socket, event);
    }
  } catch (error) {
    // An answer ends with its WebSocket. Every other error must be visible in the test.
    if (left.signal.aborted) return;
    console.error(error);
    socket.close(1011, "Internal error");
  }
}

/** A slow reader slows the generation down. */
async function send(socket: PeerSocket, event: SocketEvent): Promise<void> {
  if (socket.sendText(JSON.stringify(event)) !== -1) return;
  socket.data.drained ??= Promise.withResolvers();
  await socket.data.drained.promise;
}
