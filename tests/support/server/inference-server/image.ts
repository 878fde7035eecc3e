/**
 * The image of the stand-in inference server, built from this host alone: nothing is pulled, so it
 * works offline and on an engine without a single image.
 */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Runs the Docker CLI and gives its standard output. @throws if it exits with anything but 0 */
export type Docker = (...args: string[]) => Promise<string>;

/** On the image and so on every container of it: what a test run may remove. */
export const TEST_LABEL = "lw-inference-proxy.test=true";

const REPOSITORY = "lw-inference-proxy-test/inference-server";

/** HEALTHCHECK has no --start-period: the legacy builder refuses 0, the value that we would want. */
const DOCKERFILE = `FROM scratch
COPY root /
LABEL ${TEST_LABEL}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["/server", "healthcheck"]
ENTRYPOINT ["/server"]
`;

/**
 * The image's tag. It names the content, so an image that an earlier run built is used again; those
 * of earlier sources stay until `docker image prune --all --filter label=lw-inference-proxy.test`.
 * Works with either builder; `dockerCli` takes the legacy one, that is there in every version.
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

/** The CLI on PATH against its default engine, with the legacy builder: buildx need not be installed. */
export function dockerCli(...args: string[]): Promise<string> {
  return run(["docker", ...args], { DOCKER_BUILDKIT: "0" });
}

/** The same against another engine. @param host as in DOCKER_HOST */
export function dockerCliAt(host: string): Docker {
  return (...args) => dockerCli("--host", host, ...args);
}

/** Every source file of this folder (this one holds the Dockerfile) and the runtime that is compiled in. */
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

/** The binary and what it is linked to, each file where the loader of this host looks for it. */
async function fillRoot(root: string): Promise<void> {
  const binary = join(root, "server");
  await mkdir(root);
  await compile(binary);
  for (const library of await sharedLibraries(binary)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    // On the host these are often links to links outside; in the image each is a plain file.
    await cp(library, join(root, library), { dereference: true });
  }
}

/** Without .env and bunfig.toml of whatever folder a container is started in. */
async function compile(binary: string): Promise<void> {
  await run([
    process.execPath,
    "build",
    "--compile",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    fileURLToPath(import.meta.resolve("./server.ts")), // so that knip, too, sees who uses it
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
