/**
 * A stand-in for an inference server (vLLM and its like), compiled into the image of image.ts.
 * What it can do, and by which environment variable: settings.ts. Its routes: answers.ts and handler.ts.
 *
 * `server` serves; `server healthcheck` asks the server in the same container how it is, for an
 * image without a shell.
 */
import { existsSync } from "node:fs";
import { createService } from "./handler.ts";
import { keepSignal } from "./journal.ts";
import { readPort, readSettings, type Settings } from "./settings.ts";
import type { Peer, Sockets } from "./sockets.ts";

/** A server in whose container this file is does not start any more. It outlives a run, and not the container. */
const BROKEN = "/broken";

const CLOSE_BOUND_MS = 1_000;

if (process.argv[2] === "healthcheck") {
  process.exit((await isHealthy(readPort(process.env))) ? 0 : 1);
}
await serve(readSettings(process.env));

async function serve(settings: Settings): Promise<void> {
  if (existsSync(BROKEN)) process.exit(1);
  // As PID 1 a signal without a handler does nothing at all, so these come before anything that waits.
  let server: Bun.Server<Peer> | undefined;
  const { sockets, ...service } = createService(settings);
  let ending: Promise<void> | undefined;
  const terminate = (): void => {
    if (settings.journalFolder !== undefined) keepSignal(settings.journalFolder, "SIGTERM");
    if (settings.termMode === "abrupt") process.exit(0);
    if (settings.termMode === "exit") ending ??= exit(sockets, server);
    if (settings.termMode === "drain") ending ??= drain(sockets, server);
  };
  process.on("SIGTERM", terminate);
  process.on("SIGINT", terminate);
  process.on("SIGHUP", () => {}); // elsewhere than as PID 1 it would end the process

  await Bun.sleep(settings.listenDelayMs);
  if (ending !== undefined) return;
  server = Bun.serve({
    port: settings.port,
    idleTimeout: 0, // a silent stream is a slow model, never a dead client
    maxRequestBodySize: Number.MAX_SAFE_INTEGER, // vLLM has no limit of its own
    development: false,
    ...service,
  });
  console.log(`${settings.name} serves ${settings.models.join(", ")} on port ${server.port}`);
}

/** Takes no new connection, lets every answer end, then exits. */
async function drain(sockets: Sockets, server: Bun.Server<Peer> | undefined): Promise<void> {
  const stopped = server?.stop();
  sockets.close(1012, "");
  await stopped;
  process.exit(0);
}

/** At once, if no WebSocket is open. Whoever does not take its Close frame is not waited for for long. */
async function exit(sockets: Sockets, server: Bun.Server<Peer> | undefined): Promise<void> {
  if (sockets.close(1012, "") > 0) await Promise.race([server?.stop(), Bun.sleep(CLOSE_BOUND_MS)]);
  process.exit(0);
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`, { proxy: false })).ok;
  } catch {
    return false;
  }
}
