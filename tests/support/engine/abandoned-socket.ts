/** Stands in for a killed engine: the socket's file exists, but nothing listens on it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../temporary-directory.ts";
import { until } from "../until.ts";

export type AbandonedSocket = Disposable & {
  readonly path: string;
  readonly directory: string;
};

export async function abandonedSocket(): Promise<AbandonedSocket> {
  const directory = temporaryDirectory();
  const path = join(directory.path, "docker.sock");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)})`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  await until("the socket is there", () => existsSync(path));
  child.kill("SIGKILL");
  await child.exited;
  return {
    path,
    directory: directory.path,
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}
