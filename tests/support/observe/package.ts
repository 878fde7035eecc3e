/**
 * The real Prometheus: the machine's own, or Debian's package of it, unpacked into a folder of the user's cache. Nothing is
 * installed: it needs no library but libc.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../cache-folder.ts";

export type PrometheusPrograms = { readonly prometheus: string; readonly promtool: string };

const PACKAGE = "prometheus";
const FOLDER = join(cacheFolder("prometheus"), "unpacked");
const COMMAND_BOUND_MS = 120_000;

let provided: Promise<PrometheusPrograms> | undefined;

/**
 * Downloads and unpacks it, unless it is there.
 *
 * @throws if it can't be had
 */
export function providePrometheus(): Promise<PrometheusPrograms> {
  provided ??= (async () => {
    const found = find();
    if (found !== undefined) return found;
    await unpack();
    const unpacked = find();
    if (unpacked === undefined) throw new Error("Debian's prometheus has no program any more");
    return unpacked;
  })();
  return provided;
}

function find(): PrometheusPrograms | undefined {
  const unpacked = join(FOLDER, "usr/bin");
  const [prometheus, promtool] = ["prometheus", "promtool"].map(
    (name) => Bun.which(name) ?? Bun.which(join(unpacked, name)),
  );
  return prometheus && promtool ? { prometheus, promtool } : undefined;
}

/** The folder gets its name when it is complete, so one that was broken off is never used. */
async function unpack(): Promise<void> {
  process.stderr.write(`Unpacking Debian's prometheus into ${FOLDER} …\n`);
  const partial = `${FOLDER}.${process.pid}`;
  const downloads = join(partial, "packages");
  mkdirSync(downloads, { recursive: true });
  try {
    // Old lists name files that are gone. Only root may renew them.
    if (process.getuid?.() === 0) await run(".", "apt-get", "-qq", "update");
    await run(downloads, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", PACKAGE);
    for (const file of readdirSync(downloads)) await run(downloads, "dpkg", "-x", file, partial);
    rmSync(downloads, { recursive: true });
    rmSync(FOLDER, { recursive: true, force: true });
    renameSync(partial, FOLDER);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function run(cwd: string, ...command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
    timeout: COMMAND_BOUND_MS,
  });
  const code = await child.exited;
  if (code !== 0) throw new Error(`Cannot run "${command.join(" ")}": exit code ${code}`);
}
