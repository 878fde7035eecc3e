/**
 * The scripts that build a release. They really build the four binaries. For the image, a stand-in for docker
 * on PATH records its calls. The scripts that publish a release are tested in tests/ci/.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type StandIns, standIns } from "../../support/release/stand-ins.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../../..");
const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** ELF header: the machine is at byte 18, and the loader's path shows the C library. */
const TARGETS = {
  "linux-x64": [0x3e, "/lib64/ld-linux-x86-64.so.2"],
  "linux-arm64": [0xb7, "/lib/ld-linux-aarch64.so.1"],
  "linux-x64-musl": [0x3e, "/lib/ld-musl-x86_64.so.1"],
  "linux-arm64-musl": [0xb7, "/lib/ld-musl-aarch64.so.1"],
} as const;

type Outcome = { readonly code: number; readonly output: string };

async function script(file: string, env: Readonly<Record<string, string>>): Promise<Outcome> {
  const child = Bun.spawn([process.execPath, join(".ci", file)], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: output + errors };
}

describe("release:binaries", () => {
  let outputs = "";

  beforeAll(async () => {
    using directory = temporaryDirectory();
    const GITHUB_OUTPUT = join(directory.path, "outputs");
    const env = { VERSION: "v9.8.7-rc.1", COMMIT, GITHUB_OUTPUT };
    const { code, output } = await script("release-binaries.ts", env);
    if (code !== 0) throw new Error(output);
    outputs = readFileSync(GITHUB_OUTPUT, "utf8");
  }, 120_000);

  test.each(Object.entries(TARGETS))(
    "%s has the machine and the C library of its name",
    async (target, [machine, loader]) => {
      const start = await Bun.file(join(ROOT, `dist/lw-inference-proxy-${target}`))
        .slice(0, 4_096)
        .bytes();
      expect(start[18]).toBe(machine);
      expect(Buffer.from(start).toString("latin1")).toContain(loader);
    },
  );

  test("SHA256SUMS has the checksums of the files", async () => {
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

  test("the binary for this machine has the tag's version and commit", async () => {
    const binary = join(ROOT, `dist/lw-inference-proxy-linux-${process.arch}`);
    const child = Bun.spawn([binary, "--version"], { stdout: "pipe" });
    expect(await child.stdout.text()).toBe(
      `lw-inference-proxy 9.8.7-rc.1 (commit 0123456789ab, Bun ${Bun.version})\n`,
    );
  });

  test("sets an output for the publishing job, the SHA-256 of SHA256SUMS", async () => {
    const sums = await Bun.file(join(ROOT, "dist/SHA256SUMS")).bytes();
    const sum = new Bun.CryptoHasher("sha256").update(sums).digest("hex");
    expect(outputs).toBe(`sums=${sum}\n`);
  });

  test("without a tag it builds nothing, because it would use the version of package.json", async () => {
    const { code, output } = await script("release-binaries.ts", { VERSION: "", COMMIT });
    expect([code, output]).toEqual([1, expect.stringContaining("VERSION is not set")]);
  });
});

describe("release:image", () => {
  const HEX = "ab".repeat(32);
  const DIGESTS = {
    "oven/bun": `sha256:${"1".repeat(64)}`,
    distroless: `sha256:${"2".repeat(64)}`,
  };
  const SAYS = "lw-inference-proxy 1.2.3 (commit 0123456789ab, Bun 1.4.5)";
  const ENV = { VERSION: "v1.2.3", COMMIT, REPOSITORY: "Owner/Name" };

  type Docker = {
    /** The digest that the registry reports for the distroless base. */
    readonly base?: string;
    readonly built?: string;
    readonly says?: string;
  };

  function docker(directory: string, options: Docker = {}): StandIns {
    const { base = DIGESTS.distroless, built = `sha256:${HEX}`, says = SAYS } = options;
    const manifest = (digest: string): string => JSON.stringify({ digest, size: 1 });
    return standIns(directory, {
      docker: `case "$*" in
  *imagetools*oven/bun:*) echo '${manifest(DIGESTS["oven/bun"])}' ;;
  *imagetools*) echo '${manifest(base)}' ;;
  run*) echo '${says}' ;;
esac
while [ $# -gt 0 ]; do
  [ "$1" = --metadata-file ] && echo '{"containerimage.digest":"${built}"}' > "$2"
  shift
done
exit 0`,
    });
  }

  /** @returns the calls, without the name of the clone, and the outputs of the step */
  async function release(
    options: Docker = {},
    env: Readonly<Record<string, string>> = ENV,
  ): Promise<Outcome & { readonly calls: readonly string[]; readonly outputs: string }> {
    using directory = temporaryDirectory();
    const programs = docker(directory.path, options);
    const file = join(directory.path, "outputs");
    const outcome = await script("release-image.ts", {
      ...env,
      ...programs.env,
      GITHUB_OUTPUT: file,
    });
    const outputs = existsSync(file) ? readFileSync(file, "utf8") : "";
    return { ...outcome, calls: programs.calls(), outputs };
  }

  /** The base images as the Dockerfile names them. */
  const BASES = ["BUN_IMAGE", "BASE_IMAGE"].map((name) => {
    const dockerfile = readFileSync(join(ROOT, "Dockerfile"), "utf8");
    return new RegExp(`^ARG ${name}=(.+)$`, "m").exec(dockerfile)?.[1] ?? "";
  });

  test("builds for both architectures on the current digests of the base images, and starts the image", async () => {
    const { code, output, calls, outputs } = await release();
    expect([code, output]).toEqual([0, ""]);
    const [bun = "", base = ""] = BASES;
    const args = [
      ...["VERSION=1.2.3", "COMMIT=0123456789ab", "SOURCE=https://github.com/Owner/Name"],
      `BUN_IMAGE=${bun}@${DIGESTS["oven/bun"]}`,
      `BASE_IMAGE=${base}@${DIGESTS.distroless}`,
    ];
    const build = `docker buildx build ${args.map((arg) => `--build-arg ${arg}`).join(" ")}`;
    const inspect = "docker buildx imagetools inspect --format {{json .Manifest}}";
    expect(
      calls.map((call) => call.replace(/--metadata-file \S+/, "--metadata-file FILE")),
    ).toEqual([
      `${inspect} ${bun}`,
      `${inspect} ${base}`,
      "docker buildx create --name lw-inference-proxy-release --use",
      `${build} --platform linux/amd64,linux/arm64 --provenance mode=max --sbom true --output type=oci,dest=${ROOT}/dist/image.tar --metadata-file FILE ${ROOT}`,
      `${build} --provenance false --load --tag lw-inference-proxy:smoke-test ${ROOT}`,
      "docker run --rm lw-inference-proxy:smoke-test --version",
    ]);
    expect(outputs).toBe(`digest=sha256:${HEX}\n`);
  });

  test("the base images have tags in the Dockerfile", () => {
    for (const base of BASES) expect(base).toMatch(/^[\w./-]+:[\w.-]+$/);
  });

  test.each(["", "sha256:abc", "latest"])(
    "builds nothing on a base image with the digest %j",
    async (base) => {
      const { code, output, calls, outputs } = await release({ base });
      expect([code, output]).toEqual([1, expect.stringContaining('"digest" is')]);
      expect(calls.filter((call) => !call.includes("imagetools"))).toEqual([]);
      expect(outputs).toBe("");
    },
  );

  test.each<[what: string, options: Docker, said: string]>([
    ["has another version", { says: SAYS.replace("1.2.3", "1.2.2") }, "expected"],
    ["has another commit", { says: SAYS.replace("0123", "3210") }, "expected"],
    ["has no digest", { built: "" }, '"containerimage.digest" is'],
  ])("does not report the digest of an image that %s", async (_, options, said) => {
    const { code, output, outputs } = await release(options);
    expect([code, output, outputs]).toEqual([1, expect.stringContaining(said), ""]);
  });

  test.each([
    ["VERSION", "", "VERSION is not set"],
    ["REPOSITORY", "", "REPOSITORY is not set"],
    ["VERSION", "main", "expected one like v1.2.3"],
  ])("%s=%s stops the script before it does anything", async (name, value, said) => {
    const { code, output, calls } = await release({}, { ...ENV, [name]: value });
    expect([code, output, calls]).toEqual([1, expect.stringContaining(said), []]);
  });
});
