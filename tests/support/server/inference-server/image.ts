/**
 * Builds the image of the stand-in inference server only from files of this host. It pulls nothing, so it
 * works offline, and on an engine without any image.
 */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Runs the Docker CLI and returns its standard output. @throws if the exit code is not 0 */
export type Docker = (...args: string[]) => Promise<string>;

/** The label of the image and so of all its containers. A test run may remove everything with this label. */
export const TEST_LABEL = "lw-inference-proxy.test=true";

const REPOSITORY = "lw-inference-proxy-test/inference-server";

/** HEALTHCHECK has no --start-period: the legacy builder refuses 0, the only useful value here. */
const DOCKERFILE = `FROM scratch
COPY root /
LABEL ${TEST_LABEL}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["/server", "healthcheck"]
ENTRYPOINT ["/server"]
`;

/**
 * The image's tag. It names the content, so an image of an earlier run is used again. Images of older sources
 * stay until `docker image prune --all --filter label=lw-inference-proxy.test`. It works with both builders.
 * `dockerCli` uses the legacy builder, which every version has.
 */
export async function buildInferenceImage(docker: Docker = dockerCli): Promise<string> {
  const tag = `${REPOSITORY}:${await contentHash()}`;
  if ((await docker("image", "ls", "--quiet", tag)).trim() !== "") return tag;

  const context = await mkdtemp(join(tmpdir(), "inference-server-image-"));
  try {
    await fillRoot(join(context, "root"));
    await writeFile(join(context, "Dockerfile"), DOCKERFILE);
    await docker("build", "--quiet", "--tag", tag, context);
  } finally {
    await rm(context, { recursive: true });
  }
  return tag;
}

/** The CLI on PATH with its default engine. It uses the legacy builder, because buildx may not be installed. */
export function dockerCli(...args: string[]): Promise<string> {
  return run(["docker", ...args], { DOCKER_BUILDKIT: "0" });
}

/** The same with another engine. @param host in the form of DOCKER_HOST */
export function dockerCliAt(host: string): Docker {
  return (...args) => dockerCli("--host", host, ...args);
}

/**
 * A hash of every source file of this folder (this file has the Dockerfile) and of the runtime in the binary.
 */
async function contentHash(): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(`${Bun.revision} ${process.arch}\n`);
  const names = (await readdir(import.meta.dir)).filter((name) => name.endsWith(".ts")).sort();
  for (const name of names) {
    hash.update(`${name}\n`);
    hash.update(await Bun.file(join(import.meta.dir, name)).bytes());
  }
  return hash.digest("hex").slice(0, 12);
}

/** Copies the binary and its libraries. Each file is where this host's loader looks for it. */
async function fillRoot(root: string): Promise<void> {
  const binary = join(root, "server");
  await mkdir(root);
  await compile(binary);
  for (const library of await sharedLibraries(binary)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    // On the host these are often links to links elsewhere. In the image each is a plain file.
    await cp(library, join(root, library), { dereference: true });
  }
}

/** The binary ignores .env and bunfig.toml in the folder where it starts. */
async function compile(binary: string): Promise<void> {
  await run([
    process.execPath,
    "build",
    "--compile",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    fileURLToPath(import.meta.resolve("./server.ts")), // resolve() shows knip that the file is used
    `--outfile=${binary}`,
  ]);
}

/** `libc.so.6 => /lib/…/libc.so.6 (0x…)`, and the loader: `/lib64/ld-linux-x86-64.so.2 (0x…)`. */
export async function sharedLibraries(binary: string): Promise<string[]> {
  const listing = await run(["ldd", binary]);
  const paths = [...listing.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
  if (paths.length === 0) throw new Error(`Cannot read the libraries of ${binary}: ${listing}`);
  return paths;
}

async function run(
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (code === 0) return output;
  throw new Error(`Cannot run "${command.join(" ")}": exit code ${code}, ${errors.trim()}`);
}
