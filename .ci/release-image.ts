/**
 * Builds the image of a release for both architectures, with provenance and SBOM, into the OCI archive
 * dist/image.tar, and starts the one for this machine. It publishes nothing: publish-image.sh does, in a job that
 * runs no code from here. The output `digest` is the image's digest. Needs docker with buildx.
 *
 * The script resolves the Dockerfile's base image tags to digests once, so that both architectures and the
 * provenance name the same base images.
 *
 * Environment: VERSION (a tag), COMMIT, REPOSITORY (owner/name).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCommit, buildVersion } from "./build-version.ts";
import { outputOf, run, smokeTest, tellOutput, variable } from "./release-steps.ts";

const ROOT = join(import.meta.dir, "..");
const BUILDER = "lw-inference-proxy-release";
const SMOKE_TEST = "lw-inference-proxy:smoke-test";

const BASES = ["BUN_IMAGE", "BASE_IMAGE"] as const;

async function main(): Promise<void> {
  variable("VERSION"); // otherwise buildVersion() would take the version of package.json
  const args = {
    VERSION: await buildVersion(ROOT, process.env),
    COMMIT: await buildCommit(ROOT, process.env),
    SOURCE: `https://github.com/${variable("REPOSITORY")}`,
    ...(await bases()),
  };
  // The default builder cannot build several architectures, and cannot make attestations.
  await run(["docker", "buildx", "create", "--name", BUILDER, "--use"]);
  const digest = await build(Object.entries(args).map(([name, value]) => `${name}=${value}`));
  await smokeTest(ROOT, ["docker", "run", "--rm", SMOKE_TEST, "--version"]);
  tellOutput("digest", digest);
}

/**
 * @returns the digest of the image in dist/image.tar.
 * The engine then also has the image for this machine, as SMOKE_TEST.
 */
async function build(args: readonly string[]): Promise<string> {
  const command = [
    ...["docker", "buildx", "build"],
    ...args.flatMap((arg) => ["--build-arg", arg]),
  ];
  const directory = mkdtempSync(join(tmpdir(), "release-image-"));
  const metadata = join(directory, "metadata.json");
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  try {
    await run([
      ...command,
      ...["--platform", "linux/amd64,linux/arm64", "--provenance", "mode=max", "--sbom", "true"],
      ...["--output", `type=oci,dest=${join(ROOT, "dist/image.tar")}`],
      ...["--metadata-file", metadata, ROOT],
    ]);
    // Takes the same layers from the builder's cache, in a format that the engine can load.
    await run([...command, "--provenance", "false", "--load", "--tag", SMOKE_TEST, ROOT]);
    return digestIn(await Bun.file(metadata).json(), "containerimage.digest");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @returns the Dockerfile's base images, with the digests that their registries report now */
async function bases(): Promise<Readonly<Record<string, string>>> {
  const dockerfile = await Bun.file(join(ROOT, "Dockerfile")).text();
  const pinned: Record<string, string> = {};
  for (const name of BASES) {
    const image = new RegExp(`^ARG ${name}=(\\S+)$`, "m").exec(dockerfile)?.[1];
    if (image === undefined) throw new Error(`The Dockerfile has no default for ${name}`);
    const format = ["--format", "{{json .Manifest}}"];
    const manifest = await outputOf([
      "docker",
      "buildx",
      "imagetools",
      "inspect",
      ...format,
      image,
    ]);
    pinned[name] = `${image}@${digestIn(JSON.parse(manifest), "digest")}`;
  }
  return pinned;
}

/** @throws if the digest is missing: the script must not build on, or publish, an image without a digest */
function digestIn(from: Readonly<Record<string, unknown>>, name: string): string {
  const digest = String(from[name]);
  if (/^sha256:[\da-f]{64}$/.test(digest)) return digest;
  throw new Error(`"${name}" is ${JSON.stringify(digest)}: expected one like sha256:0123…`);
}

await main();
