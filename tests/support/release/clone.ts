/**
 * Stands in for the checkout of a publishing job: a clone with tags, the scripts of .ci, and built files in
 * dist/.
 */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../temporary-directory.ts";

const CI = join(import.meta.dir, "../../../.ci");

type Outcome = { readonly code: number; readonly output: string };

export type ReleaseClone = Disposable & {
  readonly path: string;
  readonly dist: string;
  /** Runs a script of .ci as a job does: with only PATH and these variables. */
  readonly run: (script: string, env: Readonly<Record<string, string>>) => Promise<Outcome>;
};

/** @param tags of the only commit */
export async function releaseClone(tags: readonly string[]): Promise<ReleaseClone> {
  const { path, [Symbol.dispose]: dispose } = temporaryDirectory();
  const dist = join(path, "dist");
  cpSync(CI, join(path, ".ci"), { recursive: true });
  mkdirSync(dist);
  await git(path, "init", "--quiet");
  await git(path, "commit", "--quiet", "--allow-empty", "--message=a");
  for (const tag of tags) await git(path, "tag", tag);
  return {
    path,
    dist,
    [Symbol.dispose]: dispose,
    run: (script, env) => outcome(["bash", join(".ci", script)], path, env),
  };
}

/** A clone like that of actions/checkout without `fetch-depth: 0`: one commit, and the tags of that commit. */
export async function makeShallow({ path }: ReleaseClone): Promise<void> {
  const { output } = await outcome(["git", "rev-parse", "HEAD"], path, {});
  await Bun.write(join(path, ".git/shallow"), output);
}

async function git(cwd: string, ...args: readonly string[]): Promise<void> {
  const who = ["-c", "user.name=t", "-c", "user.email=t@example.test"];
  const { code, output } = await outcome(["git", ...who, ...args], cwd, {});
  if (code !== 0) throw new Error(`git ${args.join(" ")}: ${output}`);
}

async function outcome(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, output: output + errors };
}
