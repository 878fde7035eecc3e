/** Requests in, responses out: the API under the base path, /health and the /admin routes. */
import { type Answer, answer } from "./answers.ts";
import { abortEntry, finishEntry, type JournalEntry, keepEntry, openEntry } from "./journal.ts";
import { openAiError } from "./openai.ts";
import type { Settings } from "./settings.ts";

export function createHandler(settings: Settings): (request: Request) => Promise<Response> {
  const control = createControl(settings.healthy);
  return async (request) => {
    const url = new URL(request.url);
    const response =
      control.respond(url) ?? (await respondAsApi(settings, request, url, control.journal));
    response.headers.set("x-served-by", settings.name);
    return response;
  };
}

type Control = {
  readonly journal: JournalEntry[];
  /** Nothing if the path is neither /health nor below /admin. */
  readonly respond: (url: URL) => Response | undefined;
};

/**
 * The routes outside the API: for Docker's health check and for the test that owns the container.
 * A test that crashes it by a GET may see ECONNREFUSED: Bun's fetch sends a GET again after a reset.
 */
function createControl(initiallyHealthy: boolean): Control {
  const journal: JournalEntry[] = [];
  let healthy = initiallyHealthy;

  const respond = ({ pathname, searchParams }: URL): Response | undefined => {
    switch (pathname) {
      case "/health":
        return Response.json({ healthy }, { status: healthy ? 200 : 503 });
      case "/admin/health": {
        const state = searchParams.get("state");
        if (state !== "good" && state !== "bad") return new Response(null, { status: 400 });
        healthy = state === "good";
        return Response.json({ healthy });
      }
      case "/admin/crash":
        return process.exit(1); // the caller sees a connection that breaks, as everyone else
      case "/admin/requests":
        return Response.json(journal);
      default:
        return pathname.startsWith("/admin/") ? new Response(null, { status: 404 }) : undefined;
    }
  };
  return { journal, respond };
}

async function respondAsApi(
  settings: Settings,
  request: Request,
  { pathname, search }: URL,
  journal: JournalEntry[],
): Promise<Response> {
  const entry = openEntry(request, pathname + search);
  journal.push(entry);
  const path = pathname.startsWith(`${settings.basePath}/`)
    ? pathname.slice(settings.basePath.length)
    : "";
  try {
    const given = await answer({ settings, request, path, entry });
    if (settings.journalFolder !== undefined) keepEntry(settings.journalFolder, entry);
    return toResponse(given, entry);
  } catch (error) {
    // A client that hung up reads no answer; anything else must be visible in the test.
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

/** One event a pull: a client that reads slowly slows the generation down, one that leaves ends it. */
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
