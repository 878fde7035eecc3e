/**
 * The images for the nodes: the stand-in inference server, and the compiled proxy in dist/. Nothing is
 * pulled.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { BINARY } from "../proxy/compiled.ts";
import {
  buildInferenceImage,
  type Docker,
  sharedLibraries,
  TEST_LABEL,
} from "../server/inference-server/image.ts";
import { NODES, type Swarm } from "./swarm.ts";

/** With a tag: otherwise the command line adds it in the next update, which then replaces all tasks. */
export const SERVER_IMAGE = "lw-inference-proxy-test/swarm-server:latest";
export const PROXY_IMAGE = "lw-inference-proxy-test/swarm-proxy";

/**
 * Not the Dockerfile, which takes a minute to build: the binary, its libraries, and the Dockerfile's start
 * command.
 */
const DOCKERFILE = `FROM scratch
COPY root /
LABEL ${TEST_LABEL}
ENV PROXY_USER=65532:65532
ENTRYPOINT ["/usr/local/bin/lw-inference-proxy"]
`;

/** Builds both images on the manager, and loads them on the other nodes. */
export async function provideImages(swarm: Swarm): Promise<void> {
  const manager = swarm.dockerOn("m1");
  await manager("tag", await buildInferenceImage(manager), SERVER_IMAGE);
  await buildProxy(manager);
  const file = swarm.folder("images.tar");
  await manager("save", "--output", file, SERVER_IMAGE, PROXY_IMAGE);
  const others = NODES.filter((node) => node !== "m1");
  await Promise.all(others.map((node) => swarm.dockerOn(node)("load", "--quiet", "--input", file)));
  rmSync(file);
}

async function buildProxy(docker: Docker): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), "swarm-proxy-image-"));
  try {
    const files: (readonly [from: string, to: string])[] = [
      [BINARY, "/usr/local/bin/lw-inference-proxy"],
      ...(await sharedLibraries(BINARY)).map((path) => [path, path] as const),
    ];
    for (const [from, to] of files) {
      mkdirSync(join(context, "root", dirname(to)), { recursive: true });
      cpSync(from, join(context, "root", to), { dereference: true });
    }
    writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
    await docker("build", "--quiet", "--tag", PROXY_IMAGE, context);
  } finally {
    rmSync(context, { recursive: true });
  }
}
