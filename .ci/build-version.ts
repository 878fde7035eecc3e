/** Version and commit of a build, from the environment, package.json or git. Builds nothing. */
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** A semantic version as semver.org defines it, without build metadata: an image's tag cannot contain `+`. */
const VERSION =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

/**
 * @param env VERSION may start with the `v` of a tag
 * @throws if VERSION is not a version
 */
export async function buildVersion(root: string, env: Environment): Promise<string> {
  if (!env["VERSION"]) {
    const { version } = await Bun.file(join(root, "package.json")).json();
    return version;
  }
  const version = env["VERSION"].replace(/^v/, "");
  if (!VERSION.test(version)) {
    throw new Error(`VERSION is ${JSON.stringify(env["VERSION"])}: expected one like v1.2.3`);
  }
  return version;
}

/** The commit's first 12 digits, then `-dirty` if files were changed. `unknown` without git. */
export async function buildCommit(root: string, env: Environment): Promise<string> {
  const given = env["COMMIT"];
  if (given) return /^[\da-f]{40}$/.test(given) ? given.slice(0, 12) : given;
  if (Bun.which("git") === null) return "unknown";
  const git = Bun.spawn(
    ["git", "describe", "--always", "--dirty", "--abbrev=12", "--match=no-tag"],
    {
      cwd: root,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const commit = (await git.stdout.text()).trim();
  return (await git.exited) === 0 && commit !== "" ? commit : "unknown";
}
