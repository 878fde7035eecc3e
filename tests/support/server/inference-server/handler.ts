/** Turns requests into responses and WebSockets: the API below the base path, and the routes of control.ts. */
import { type Answer, answer } from "./answers.ts";
import { type Control, createControl } from "./control.ts";
import { engineMetrics } from "./engine-metrics.ts";
import { abortEntry, finishEntry, type JournalEntry, keepEntry, openEntry } from "./journal.ts";
import { openAiError } from "./openai.ts";
import type { Settings } from "./settings.ts";
import { type Peer, Sockets } from "./sockets.ts";

/** Only for plain requests: it answers a WebSocket handshake like a request without the upgrade. */
export function createHandler(settings: Settings): (request: Request) => Promise<Response> {
  const control = createControl(settings.healthy, () => 0);
  return (request) => respond(settings, request, control);
}

/** Spread it into the options of `Bun.serve`. */
export type Service = {
  readonly fetch: (request: Request, server: Bun.Server<Peer>) => Promise<Response | undefined>;
  readonly websocket: Bun.WebSocketHandler<Peer>;
};

export function createService(settings: Settings): Service & { readonly sockets: Sockets } {
  const sockets = new Sockets(settings);
  const control = createControl(settings.healthy, (code, reason) => sockets.close(code, reason));
  return {
    sockets,
    websocket: sockets.handler,
    fetch: async (request, server) => {
      const { pathname } = new URL(request.url);
      const path = sockets.pathOf(request, belowBase(settings, pathname));
      if (path === undefined) return await respond(settings, request, control);
      const response = await sockets.answer(request, server, path, control);
      response?.headers.set("x-served-by", settings.name);
      return response;
    },
  };
}

async function respond(settings: Settings, request: Request, control: Control): Promise<Response> {
  const url = new URL(request.url);
  const response =
    control.respond(url) ??
    metrics(settings, url, control) ??
    (await respondAsApi(settings, request, url, control));
  response.headers.set("x-served-by", settings.name);
  return response;
}

function metrics(
  { metrics: kind, models: [model = ""] }: Settings,
  { pathname }: URL,
  { journal }: Control,
): Response | undefined {
  if (kind === undefined || pathname !== "/metrics") return undefined;
  const running = journal.filter(
    ({ method, done, aborted }) => method === "POST" && !(done || aborted),
  ).length;
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return new Response(engineMetrics(kind, model, { running }), { headers });
}

/** @returns "" if the path is not below the base path */
function belowBase({ basePath }: Settings, pathname: string): string {
  return pathname.startsWith(`${basePath}/`) ? pathname.slice(basePath.length) : "";
}

async function respondAsApi(
  settings: Settings,
  request: Request,
  { pathname, search }: URL,
  control: Control,
): Promise<Response> {
  const entry = openEntry(request, pathname + search);
  control.journal.push(entry);
  const path = belowBase(settings, pathname);
  try {
    const refused = request.method === "POST" ? control.refusal() : undefined;
    if (refused !== undefined) return refused;
    const given = await answer({ settings, request, path, entry, gate: control.gate });
    if (settings.journalFolder !== undefined) keepEntry(settings.journalFolder, entry);
    return toResponse(given, entry);
  } catch (error) {
    // No client reads the answer after a hang-up. Every other error must be visible in the test.
    if (!request.signal.aborted) console.error(error);
    abortEntry(entry);
    return Response.json(openAiError(500, "InternalServerError", String(error)), { status: 500 });
  }
}

function toResponse(given: Answer, entry: JournalEntry): Response {
  switch (given.kind) {
    case "json":
      finishEntry(entry);
      return Response.json(given.value, { status: given.status });
    case "bytes":
      finishEntry(entry);
      return new Response(given.bytes, { headers: { "content-type": "application/octet-stream" } });
    case "events":
      return new Response(toStream(given.events, entry), {
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-cache",
        },
      });
  }
}

/** One event for each pull: a slow reader slows the generation down, and a client that leaves ends it. */
function toStream(events: AsyncGenerator<string>, entry: JournalEntry): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await events.next();
          if (!done) return controller.enqueue(encoder.encode(value));
          finishEntry(entry);
          controller.close();
        } catch (error) {
          abortEntry(entry);
          controller.error(error);
        }
      },
      async cancel() {
        abortEntry(entry);
        await events.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
