/** The routes outside of the API: for Docker's health check, and for the test that owns the container. */
import type { JournalEntry } from "./journal.ts";
import { openAiError } from "./openai.ts";

/** Requests for text wait here before any part of their answers is made. */
export class Gate {
  #opened: PromiseWithResolvers<void> | undefined;

  /** From now on, requests wait until the gate is opened. */
  shut(): void {
    this.#opened ??= Promise.withResolvers();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  /** @throws the signal's AbortError when the client hangs up */
  async pass(signal: AbortSignal): Promise<void> {
    if (this.#opened === undefined) return;
    signal.throwIfAborted();
    const left = Promise.withResolvers<never>();
    const leave = (): void => left.reject(signal.reason);
    signal.addEventListener("abort", leave);
    await Promise.race([this.#opened.promise, left.promise]);
    signal.removeEventListener("abort", leave);
  }
}

export type Control = {
  readonly journal: JournalEntry[];
  readonly gate: Gate;
  /** The test's answer to every POST and every WebSocket handshake below the base path, if it has set one. */
  readonly refusal: () => Response | undefined;
  /** Undefined if the path is not /health and not below /admin. */
  readonly respond: (url: URL) => Response | undefined;
};

type Refusal = { readonly status: number; readonly retryAfter: string | null };

/** Ends all open WebSockets, and returns their number. Code 1006: without a Close frame. */
export type CloseSockets = (code: number, reason: string) => number;

/**
 * Crash it with a POST. With a GET a test may see ECONNREFUSED: Bun's fetch sends a GET again after a reset.
 */
export function createControl(initiallyHealthy: boolean, closeSockets: CloseSockets): Control {
  const journal: JournalEntry[] = [];
  const gate = new Gate();
  let healthy = initiallyHealthy;
  let refusal: Refusal | undefined;

  const routes: Readonly<Record<string, (parameters: URLSearchParams) => Response>> = {
    "/health": () => Response.json({ healthy }, { status: healthy ? 200 : 503 }),
    "/admin/health": (parameters) => {
      const state = parameters.get("state");
      if (state !== "good" && state !== "bad") return new Response(null, { status: 400 });
      healthy = state === "good";
      return Response.json({ healthy });
    },
    "/admin/gate": (parameters) => {
      const state = parameters.get("state");
      if (state !== "open" && state !== "shut") return new Response(null, { status: 400 });
      gate[state]();
      return Response.json({ gate: state });
    },
    "/admin/refuse": (parameters) => {
      refusal = refusalIn(parameters);
      return Response.json({ refusal });
    },
    "/admin/close": (parameters) => {
      const code = Number(parameters.get("code") ?? 1000);
      return Response.json({ closed: closeSockets(code, parameters.get("reason") ?? "") });
    },
    "/admin/crash": () => process.exit(1), // the caller's connection breaks too
    "/admin/requests": () => Response.json(journal),
  };
  const respond = ({ pathname, searchParams }: URL): Response | undefined => {
    const route = routes[pathname];
    if (route !== undefined) return route(searchParams);
    return pathname.startsWith("/admin/") ? new Response(null, { status: 404 }) : undefined;
  };
  return { journal, gate, refusal: () => refusal && refuse(refusal), respond };
}

/** @returns undefined if the parameters name no status: then nothing is refused */
function refusalIn(parameters: URLSearchParams): Refusal | undefined {
  const status = Number(parameters.get("status") ?? 200);
  return status === 200 ? undefined : { status, retryAfter: parameters.get("retry_after") };
}

export function refuse({ status, retryAfter }: Refusal): Response {
  const body = openAiError(status, "ServerError", `Answering ${status} as told`);
  const headers = retryAfter === null ? {} : { "retry-after": retryAfter };
  return Response.json(body, { status, headers });
}
