/** Builds the image of the real llama.cpp server: its unpacked packages and our models, nothing else. */
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Docker, dockerCli, TEST_LABEL } from "../server/inference-server/image.ts";
import { CACHE, provideLlamaCpp } from "./package.ts";
import { LARGE, OTHER, TINY, writeModel } from "./tiny-model.ts";

const REPOSITORY = "lw-inference-proxy-test/llama.cpp";

/** The port of its containers, the same as in llama.cpp's own image. */
export const LLAMA_PORT = "8080";
/** Has tiny.gguf and other.gguf. A router names its models after the files. */
export const MODELS_FOLDER = "/models";
export const TINY_MODEL = `${MODELS_FOLDER}/tiny.gguf`;

/**
 * One thread: two threads wait for each other by spinning, which is slow when other programs use the cores
 * too (measured: 56 s for all of tests/e2e/llama-cpp, and 26 s with one). The health check does the same as
 * the usual `curl -fsS`: /health is 503 while the model loads.
 */
const DOCKERFILE = `FROM scratch
COPY root /
LABEL ${TEST_LABEL}
ENV LLAMA_ARG_THREADS=1
HEALTHCHECK --interval=250ms --timeout=5s --retries=4 CMD ["/usr/bin/busybox", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:${LLAMA_PORT}/health"]
ENTRYPOINT ["/usr/bin/llama-server", "--host", "0.0.0.0", "--port", "${LLAMA_PORT}"]
`;

/** The image's tag. It names the content, so an image of an earlier run is used again. */
export async function buildLlamaImage(docker: Docker = dockerCli): Promise<string> {
  const { root, version } = await provideLlamaCpp();
  const tag = `${REPOSITORY}:${await contentHash(version)}`;
  if ((await docker("image", "ls", "--quiet", tag)).trim() !== "") return tag;

  const context = await mkdtemp(join(tmpdir(), "llama-cpp-image-"));
  try {
    await fillRoot(join(context, "root"), root);
    await writeFile(join(context, "Dockerfile"), DOCKERFILE);
    await docker("build", "--quiet", "--tag", tag, context);
  } finally {
    await rm(context, { recursive: true });
  }
  return tag;
}

/**
 * A file of about 300 MB on this machine, for a volume: an image would need two copies. It is written once
 * and kept in the cache.
 */
export async function largeModel(): Promise<{ readonly folder: string; readonly file: string }> {
  const folder = join(CACHE, "models");
  const file = `large-${await contentHash()}.gguf`;
  if (!existsSync(join(folder, file))) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const unfinished = join(folder, `${process.pid}.part`);
    writeModel(unfinished, LARGE);
    await rename(unfinished, join(folder, file));
  }
  return { folder, file };
}

/** @param version of the packages, for an image that holds them too */
async function contentHash(version = ""): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256").update(version);
  for (const file of ["gguf.ts", "image.ts", "tiny-model.ts"]) {
    hash.update(await Bun.file(join(import.meta.dir, file)).bytes());
  }
  return hash.digest("hex").slice(0, 12);
}

/** The same layout as on a machine with these packages, so that each program finds its loader and libraries. */
async function fillRoot(root: string, packages: string): Promise<void> {
  await mkdir(join(root, MODELS_FOLDER), { recursive: true });
  await mkdir(join(root, "tmp"));
  await cp(join(packages, "usr"), join(root, "usr"), { recursive: true, verbatimSymlinks: true });
  for (const name of ["bin", "lib", "lib64"]) await symlink(`usr/${name}`, join(root, name));
  await symlink("busybox", join(root, "usr/bin/sh")); // the health check is a shell command
  writeModel(join(root, TINY_MODEL), TINY);
  writeModel(join(root, MODELS_FOLDER, "other.gguf"), OTHER);
}
