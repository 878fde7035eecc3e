/**
 * Compiles the proxy. `bun .ci/build.ts` makes `dist/lw-inference-proxy` for this machine, with
 * `--arch=arm64` for another; `bun .ci/build.ts --all` makes the four binaries of a release and their
 * SHA-256 sums. For another target Bun gets its runtime from the npm registry.
 *
 * Version and commit are VERSION and COMMIT of the environment (a release, an image's build). Without
 * them build-version.ts takes those of package.json and git.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildCommit, buildVersion } from "./build-version.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");
const NAME = "lw-inference-proxy";

/** Bun's names of the machines that a release is for. */
const TARGETS = ["linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl"] as const;

const FLAGS = [
  "--compile",
  "--minify",
  "--sourcemap",
  "--splitting", // code that is imported late is mapped late: without telemetry, 2 MiB less
  // Compiles ahead: a start takes 19 ms of CPU time, not 46, and it starts twice (src/process/launch.ts).
  "--bytecode",
  "--format=esm",
  // Otherwise Bun reads both files from the directory of the start, and bunfig.toml can name code to run.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--compile-exec-argv=--max-http-header-size=65536",
];

async function main(args: readonly string[]): Promise<number> {
  const defined = {
    BUILD_VERSION: await buildVersion(ROOT, process.env),
    BUILD_COMMIT: await buildCommit(ROOT, process.env),
  };
  const flags = [
    ...FLAGS,
    ...Object.entries(defined).map(([name, value]) => `--define=${name}=${JSON.stringify(value)}`),
  ];
  mkdirSync(DIST, { recursive: true });
  if (args[0] !== "--all") return compile(NAME, [...flags, ...targetOf(args[0])]);
  for (const target of TARGETS) {
    const code = await compile(`${NAME}-${target}`, [...flags, `--target=bun-${target}`]);
    if (code !== 0) return code;
  }
  await writeSums();
  return 0;
}

/** Docker's names of architectures → Bun's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: "x64", arm64: "arm64" };

/** @param argument `--arch=amd64`; with nothing after `=`, or undefined, for this machine */
function targetOf(argument = "--arch="): readonly string[] {
  const docker = /^--arch=(\w*)$/.exec(argument)?.[1];
  if (docker === "") return [];
  const architecture = ARCHITECTURES[docker ?? ""];
  if (architecture === undefined) throw new Error(`Cannot build for ${JSON.stringify(argument)}`);
  return architecture === process.arch ? [] : [`--target=bun-linux-${architecture}`];
}

/** Compiles in a directory of its own, because Bun leaves source maps beside the binary. The binary has them too. */
async function compile(name: string, flags: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(DIST, "build-"));
  const command = ["build", ...flags, "src/main.ts", "--outfile", join(directory, name)];
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const code = await child.exited;
    if (code === 0) renameSync(join(directory, name), join(DIST, name));
    return code;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Writes them as `sha256sum --check` reads them. */
async function writeSums(): Promise<void> {
  let sums = "";
  for (const target of TARGETS) {
    const file = `${NAME}-${target}`;
    const hash = new Bun.CryptoHasher("sha256");
    for await (const bytes of Bun.file(join(DIST, file)).stream()) hash.update(bytes);
    sums += `${hash.digest("hex")}  ${file}\n`;
  }
  await Bun.write(join(DIST, "SHA256SUMS"), sums);
}

process.exit(await main(process.argv.slice(2)));
