/**
 * The proxy's control socket. The commands `lw-inference-proxy drain` and `undrain` speak HTTP over it. Only
 * the proxy's user and root can open it, and the public port does not offer these functions. This file
 * creates and removes the socket. The fleet does the work.
 */
import type { DrainResult, Drains } from "./fleet/drains.ts";
import { DRAIN, DRAIN_STATE, UNDRAIN } from "./ground/control-socket.ts";
import { errorCode, errorText } from "./ground/error-text.ts";

export type ControlInit = {
  /** Of the socket. */
  readonly path: string;
  readonly drains: Pick<Drains, "drain" | "undrain" | "stateOf">;
  /** Called when the proxy's own code has failed. */
  readonly onBug: (error: unknown) => void;
};

export type OpenControl = {
  readonly kind: "open";
  /** Cuts open requests and removes the socket. */
  readonly close: () => Promise<void>;
};

type Control =
  | OpenControl
  /** The socket could not be made. */
  | { readonly kind: "none"; readonly reason: string; readonly code?: string | undefined };

/**
 * Requests have no body, and no answer takes long: a command polls. So the default timeouts of Bun are
 * enough.
 */
const BODY_BYTES_MAX = 1024;
/** Longer than any name, id or run. */
const VALUE_LENGTH_MAX = 512;

/** How long another process may take to answer on its socket, ms. Any answer shows that it listens. */
const ANSWER_MS = 1_000;

/** Creates the socket. Replaces a socket without a listener, but never any other file. */
export async function openControl(init: ControlInit): Promise<Control> {
  const first = tryToListen(init);
  if (first.kind === "open" || first.code !== "EADDRINUSE") return first;
  const { path } = init;
  try {
    if (!(await isAbandoned(path))) {
      return {
        kind: "none",
        reason: `${path} already exists: another proxy uses it, or it is not a socket`,
      };
    }
    process.getBuiltinModule("node:fs").unlinkSync(path);
  } catch (error) {
    return { kind: "none", reason: errorText(error) };
  }
  return tryToListen(init);
}

function explain(path: string, error: unknown): string {
  const directory = path.slice(0, path.lastIndexOf("/"));
  switch (errorCode(error)) {
    case "ENOENT":
      return `The directory ${directory} does not exist`;
    case "ENOTDIR":
      return `${directory} is not a directory`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `The proxy cannot write to the directory ${directory}`;
    case "ENAMETOOLONG":
      return `The path ${path} is too long for a socket`;
    default:
      return errorText(error);
  }
}

function tryToListen(init: ControlInit): Control {
  try {
    const server = listen(init);
    return { kind: "open", close: () => server.stop(true) }; // also removes the socket
  } catch (error) {
    return { kind: "none", reason: explain(init.path, error), code: errorCode(error) };
  }
}

function listen({ path, drains, onBug }: ControlInit): Bun.Server<undefined> {
  // Set before the socket exists, so that its mode is never wider than 0600.
  const before = process.umask(0o177);
  try {
    return Bun.serve({
      unix: path,
      maxRequestBodySize: BODY_BYTES_MAX,
      development: false,
      fetch: (request) => answer(request, drains),
      error: (error) => {
        onBug(error);
        return new Response(null, { status: 500 });
      },
    });
  } finally {
    process.umask(before);
  }
}

/** Whether the file is a socket without a listener. A killed proxy leaves one. */
async function isAbandoned(path: string): Promise<boolean> {
  const { lstatSync } = process.getBuiltinModule("node:fs"); // loaded here: it takes memory and is seldom needed
  if (!lstatSync(path).isSocket()) return false;
  try {
    // With fetch: Bun.connect cannot tell a socket with a full queue from one without a listener (1.4.5).
    await fetch("http://proxy/", { unix: path, signal: AbortSignal.timeout(ANSWER_MS) });
    return false;
  } catch (error) {
    return errorCode(error) === "ECONNREFUSED";
  }
}

function answer(request: Request, drains: ControlInit["drains"]): Response {
  if (!URL.canParse(request.url)) return new Response(null, { status: 400 }); // the Host header is invalid
  const { pathname, searchParams } = new URL(request.url);
  const container = searchParams.get("container") ?? "";
  const run = searchParams.get("run") ?? "";
  if (container.length > VALUE_LENGTH_MAX || run.length > VALUE_LENGTH_MAX) {
    return Response.json({
      reason: `the name or id is longer than ${VALUE_LENGTH_MAX} characters`,
    });
  }
  switch (`${request.method} ${pathname}`) {
    case `POST ${DRAIN}`:
      return reply(drains.drain(container));
    case `POST ${UNDRAIN}`:
      return reply(drains.undrain(container));
    case `GET ${DRAIN_STATE}`: {
      const { state, inFlight } = drains.stateOf(run);
      return Response.json({ state, in_flight: inFlight });
    }
    default:
      return new Response(null, { status: 404 });
  }
}

function reply(result: DrainResult): Response {
  if (result.kind === "impossible") return Response.json({ reason: result.reason });
  const { name, run, inFlight, isNew } = result;
  return Response.json({ name, run, in_flight: inFlight, is_new: isNew });
}
