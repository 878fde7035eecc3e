/**
 * The scripts of a release: the four binaries for real; publishing with stand-ins of docker, cosign and gh
 * on PATH that write down what they were told.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** ELF header: machine at byte 18; the loader's path tells the C library. */
const TARGETS = {
  "linux-x64": [0x3e, "/lib64/ld-linux-x86-64.so.2"],
  "linux-arm64": [0xb7, "/lib/ld-linux-aarch64.so.1"],
  "linux-x64-musl": [0x3e, "/lib/ld-musl-x86_64.so.1"],
  "linux-arm64-musl": [0xb7, "/lib/ld-musl-aarch64.so.1"],
} as const;

type Outcome = { readonly code: number; readonly output: string };

async function script(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const child = Bun.spawn([process.execPath, join(".ci", file), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: output + errors };
}

/** Programs that write their arguments and what they read into `log`. */
function standIns(directory: string): { readonly path: string; readonly log: () => string } {
  const log = join(directory, "log");
  const record = `#!/bin/sh
echo "$(basename "$0") $*" >> ${log}
[ "$1" = login ] && echo "read: $(cat)" >> ${log}
while [ $# -gt 0 ]; do
  [ "$1" = --metadata-file ] && echo '{"containerimage.digest":"sha256:abc"}' > "$2"
  shift
done
exit 0
`;
  for (const name of ["docker", "cosign", "gh"]) {
    writeFileSync(join(directory, name), record);
    chmodSync(join(directory, name), 0o755);
  }
  return {
    path: `${directory}:${process.env["PATH"]}`,
    log: () => (existsSync(log) ? readFileSync(log, "utf8") : ""),
  };
}

describe("build:all", () => {
  beforeAll(async () => {
    const { code, output } = await script("build.ts", ["--all"], {
      VERSION: "v9.8.7-rc.1",
      COMMIT,
    });
    if (code !== 0) throw new Error(output);
  }, 120_000);

  test.each(Object.entries(TARGETS))(
    "%s is for its machine and C library",
    async (target, [machine, loader]) => {
      const start = await Bun.file(join(ROOT, `dist/lw-inference-proxy-${target}`))
        .slice(0, 4_096)
        .bytes();
      expect(start[18]).toBe(machine);
      expect(Buffer.from(start).toString("latin1")).toContain(loader);
    },
  );

  test("the sums are those of the files", async () => {
    const check = Bun.spawn(["sha256sum", "--check", "--strict", "SHA256SUMS"], {
      cwd: join(ROOT, "dist"),
      stdio: ["ignore", "pipe", "inherit"],
    });
    const said = await check.stdout.text();
    expect(await check.exited).toBe(0);
    expect(said.trim().split("\n").sort()).toEqual(
      Object.keys(TARGETS)
        .map((target) => `lw-inference-proxy-${target}: OK`)
        .sort(),
    );
  });

  test("the one for this machine has the tag's version and commit", async () => {
    const binary = join(ROOT, `dist/lw-inference-proxy-linux-${process.arch}`);
    const child = Bun.spawn([binary, "--version"], { stdout: "pipe" });
    expect(await child.stdout.text()).toBe(
      `lw-inference-proxy 9.8.7-rc.1 (commit 0123456789ab, Bun ${Bun.version})\n`,
    );
  });

  test("release:binaries publishes them with their sums, as a prerelease", async () => {
    using directory = temporaryDirectory();
    const { path, log } = standIns(directory.path);
    const { code } = await script("release-binaries.ts", [], {
      PATH: path,
      VERSION: "v9.8.7-rc.1",
    });
    expect(code).toBe(0);
    const files = [
      ...Object.keys(TARGETS).map((target) => `lw-inference-proxy-${target}`),
      "SHA256SUMS",
    ];
    expect(log()).toBe(
      `gh release create v9.8.7-rc.1 --verify-tag --generate-notes --prerelease ${files.map((file) => `dist/${file}`).join(" ")}\n`,
    );
  });
});

describe("release:image", () => {
  const env = {
    VERSION: "v1.2.3",
    COMMIT,
    REPOSITORY: "Owner/Name",
    REGISTRY_USER: "me",
    REGISTRY_TOKEN: "secret",
  };

  test("builds for both architectures, with provenance and SBOM, and signs what it pushed", async () => {
    using directory = temporaryDirectory();
    const { path, log } = standIns(directory.path);
    const { code, output } = await script("release-image.ts", [], { ...env, PATH: path });
    expect([code, output]).toEqual([0, ""]);
    const lines = log().trim().split("\n");
    expect(lines.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "docker login ghcr.io",
      "read: secret",
      "docker buildx create",
      "docker buildx build",
      "cosign sign --yes",
    ]);
    const build = lines[3] ?? "";
    for (const part of [
      "--platform linux/amd64,linux/arm64",
      "--provenance mode=max --sbom true --push",
      "--build-arg VERSION=1.2.3 --build-arg COMMIT=0123456789ab",
      "--build-arg SOURCE=https://github.com/Owner/Name",
      "--tag ghcr.io/owner/name:1.2.3 --tag ghcr.io/owner/name:1.2 --tag ghcr.io/owner/name:latest",
    ])
      expect(build).toContain(part);
    expect(lines[4]).toBe("cosign sign --yes ghcr.io/owner/name@sha256:abc");
    expect(log().match(/secret/g)).toHaveLength(1); // not on a command line
  });

  test.each(["REPOSITORY", "REGISTRY_USER", "REGISTRY_TOKEN"])(
    "without %s it says so",
    async (name) => {
      using directory = temporaryDirectory();
      const { path, log } = standIns(directory.path);
      const { code, output } = await script("release-image.ts", [], {
        ...env,
        [name]: "",
        PATH: path,
      });
      expect([code, output]).toEqual([1, expect.stringContaining(`${name} is not set`)]);
      expect(log()).not.toContain("build");
    },
  );

  test("a version that is none stops it before anything is done", async () => {
    using directory = temporaryDirectory();
    const { path, log } = standIns(directory.path);
    const { code } = await script("release-image.ts", [], { ...env, VERSION: "main", PATH: path });
    expect([code, log()]).toEqual([1, ""]);
  });
});
