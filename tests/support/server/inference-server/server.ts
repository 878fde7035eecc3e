/**
 * A stand-in for an inference server such as vLLM, compiled into the image of image.ts. settings.ts lists its
 * features and their environment variables. answers.ts and handler.ts have its routes.
 *
 * `server` serves. `server healthcheck` asks the server in the same container for its health, because the
 * image has no shell.
 */
import { existsSync } from "node:fs";
import { createService } from "./handler.ts";
import { keepSignal } from "./journal.ts";
import { readPort, readSettings, type Settings } from "./settings.ts";
import type { Peer, Sockets } from "./sockets.ts";

/**
 * If the container has this file, the server exits at its start. The file survives a run, but not the
 * container.
 */
const BROKEN = "/broken";

const CLOSE_BOUND_MS = 1_000;

if (process.argv[2] === "healthcheck") {
  process.exit((await isHealthy(readPort(process.env))) ? 0 : 1);
}
await serve(readSettings(process.env));

async function serve(settings: Settings): Promise<void> {
  if (existsSync(BROKEN)) process.exit(1);
  // As PID 1, the process ignores signals without a handler. So the handlers come before any await.
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
  process.on("SIGHUP", () => {}); // without this it ends a process that is not PID 1

  await Bun.sleep(settings.listenDelayMs);
  if (ending !== undefined) return;
  server = Bun.serve({
    port: settings.port,
    idleTimeout: 0, // a silent stream means a slow model, not a dead client
    maxRequestBodySize: Number.MAX_SAFE_INTEGER, // vLLM has no limit either
    development: false,
    ...service,
  });
  console.log(`${settings.name} serves ${settings.models.join(", ")} on port ${server.port}`);
}

/** Takes no new connections, finishes every answer, then exits. */
async function drain(sockets: Sockets, server: Bun.Server<Peer> | undefined): Promise<void> {
  const stopped = server?.stop();
  sockets.close(1012, "");
  await stopped;
  process.exit(0);
}

/** Exits at once if no WebSocket is open. Waits only briefly for clients to take their Close frames. */
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
