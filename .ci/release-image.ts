/**
 * Builds the image for both architectures, pushes it to the repository's registry with provenance and
 * SBOM, and signs it by digest. Needs docker with buildx, and cosign.
 *
 * Environment: VERSION (a tag), COMMIT, REPOSITORY (owner/name), REGISTRY_USER and REGISTRY_TOKEN.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildCommit, buildVersion } from "./build-version.ts";
import { imageTags } from "./image-tags.ts";

const ROOT = join(import.meta.dir, "..");
const REGISTRY = "ghcr.io";
const BUILDER = "lw-inference-proxy-release";

async function main(): Promise<void> {
  const image = `${REGISTRY}/${variable("REPOSITORY").toLowerCase()}`;
  const version = await buildVersion(ROOT, process.env);
  const directory = mkdtempSync(join(tmpdir(), "release-image-"));
  const metadata = join(directory, "metadata.json");
  try {
    await run(
      ["docker", "login", REGISTRY, "--username", variable("REGISTRY_USER"), "--password-stdin"],
      variable("REGISTRY_TOKEN"),
    );
    // The default builder can do neither several architectures nor attestations.
    await run(["docker", "buildx", "create", "--name", BUILDER, "--use"]);
    await run([
      ...["docker", "buildx", "build", "--platform", "linux/amd64,linux/arm64"],
      ...["--provenance", "mode=max", "--sbom", "true", "--push", "--metadata-file", metadata],
      ...["--build-arg", `VERSION=${version}`],
      ...["--build-arg", `COMMIT=${await buildCommit(ROOT, process.env)}`],
      ...["--build-arg", `SOURCE=https://github.com/${variable("REPOSITORY")}`],
      ...imageTags(version).flatMap((tag) => ["--tag", `${image}:${tag}`]),
      ROOT,
    ]);
    const { "containerimage.digest": digest } = await Bun.file(metadata).json();
    await run(["cosign", "sign", "--yes", `${image}@${digest}`]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** @throws if it exits with anything but 0 */
async function run(command: readonly string[], input = ""): Promise<void> {
  const child = Bun.spawn([...command], {
    stdin: new Blob([input]),
    stdout: "inherit",
    stderr: "inherit",
  });
  const code = await child.exited;
  if (code !== 0)
    throw new Error(`Cannot run "${command.slice(0, 3).join(" ")}": exit code ${code}`);
}

await main();
