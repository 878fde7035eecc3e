/**
 * Stands in for the socket proxy's image in compose.yaml, which tests can't pull: Debian's HAProxy with the
 * same rules.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { dockerCli, sharedLibraries, TEST_LABEL } from "../../server/inference-server/image.ts";

const TAG = "lw-inference-proxy-test/socket-proxy";

const DOCKERFILE = `FROM scratch
COPY root /
LABEL ${TEST_LABEL}
ENTRYPOINT ["/usr/sbin/haproxy", "-db", "-f", "/haproxy.cfg"]
`;

/** @returns the image's tag */
export async function buildSocketProxyImage(): Promise<string> {
  const haproxy = Bun.which("haproxy");
  if (haproxy === null) throw new Error("Cannot build a socket proxy: HAProxy is not installed");
  const context = mkdtempSync(join(tmpdir(), "socket-proxy-image-"));
  try {
    const config = join(import.meta.dir, "image.cfg");
    const files: [from: string, to: string][] = [
      [haproxy, "/usr/sbin/haproxy"],
      [config, "/haproxy.cfg"],
      ...(await sharedLibraries(haproxy)).map((path): [string, string] => [path, path]),
    ];
    for (const [from, to] of files) {
      mkdirSync(join(context, "root", dirname(to)), { recursive: true });
      cpSync(from, join(context, "root", to), { dereference: true });
    }
    writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
    await dockerCli("build", "--quiet", "--tag", TAG, context);
  } finally {
    rmSync(context, { recursive: true });
  }
  return TAG;
}
