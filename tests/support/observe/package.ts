/**
 * The real Prometheus: the machine's own, or Debian's package, unpacked into a folder of the user's cache. It
 * installs nothing: the package needs no library except libc.
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
 * Downloads and unpacks Prometheus, unless it is there.
 *
 * @throws if it cannot be downloaded
 */
export function providePrometheus(): Promise<PrometheusPrograms> {
  provided ??= (async () => {
    const found = find();
    if (found !== undefined) return found;
    await unpack();
    const unpacked = find();
    if (unpacked === undefined)
      throw new Error(
        "Cannot find the program in Debian's prometheus package: its layout has changed",
      );
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

/** The folder gets its name when it is complete. So an interrupted download is never used. */
async function unpack(): Promise<void> {
  process.stderr.write(`Unpacking Debian's prometheus into ${FOLDER} …\n`);
  const partial = `${FOLDER}.${process.pid}`;
  const downloads = join(partial, "packages");
  mkdirSync(downloads, { recursive: true });
  try {
    // Old package lists name removed files. Only root may update the lists.
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
