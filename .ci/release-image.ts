/**
 * Builds the image of a release for both architectures, with provenance and SBOM, into the OCI archive
 * dist/image.tar, and starts the one for this machine. Publishes nothing: that is publish-image.sh, in a job
 * that runs none of this. Its output `digest` is the image's. Needs docker with buildx.
 *
 * The bases are those that the Dockerfile's tags name now, by digest, so that both architectures and the
 * provenance name the same ones.
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
  variable("VERSION"); // else it would be that of package.json
  const args = {
    VERSION: await buildVersion(ROOT, process.env),
    COMMIT: await buildCommit(ROOT, process.env),
    SOURCE: `https://github.com/${variable("REPOSITORY")}`,
    ...(await bases()),
  };
  // The default builder can do neither several architectures nor attestations.
  await run(["docker", "buildx", "create", "--name", BUILDER, "--use"]);
  const digest = await build(Object.entries(args).map(([name, value]) => `${name}=${value}`));
  await smokeTest(ROOT, ["docker", "run", "--rm", SMOKE_TEST, "--version"]);
  tellOutput("digest", digest);
}

/** @returns the digest of what is in dist/image.tar; the layers for this machine are at hand as SMOKE_TEST */
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
    // From the builder's cache: the same layers, in a form that the engine takes.
    await run([...command, "--provenance", "false", "--load", "--tag", SMOKE_TEST, ROOT]);
    return digestIn(await Bun.file(metadata).json(), "containerimage.digest");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** @returns the Dockerfile's bases with the digests that their registries give for them now */
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

/** @throws if there is none: what has no digest is neither built upon nor published */
function digestIn(from: Readonly<Record<string, unknown>>, name: string): string {
  const digest = String(from[name]);
  if (/^sha256:[\da-f]{64}$/.test(digest)) return digest;
  throw new Error(`"${name}" is ${JSON.stringify(digest)}: expected one like sha256:0123…`);
}

await main();
