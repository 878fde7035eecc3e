/** Shared code of the two scripts that build a release. */
import { appendFileSync } from "node:fs";
import { buildCommit, buildVersion } from "./build-version.ts";

/** @throws if the variable is not set */
export function variable(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** @throws if the exit code is not 0 */
export async function run(command: readonly string[]): Promise<void> {
  const child = Bun.spawn([...command], { stdio: ["ignore", "inherit", "inherit"] });
  check(command, await child.exited);
}

/** @throws if the exit code is not 0 */
export async function outputOf(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdio: ["ignore", "pipe", "inherit"] });
  const output = await child.stdout.text();
  check(command, await child.exited);
  return output;
}

function check(command: readonly string[], code: number): void {
  if (code === 0) return;
  throw new Error(`Cannot run "${command.slice(0, 3).join(" ")}": exit code ${code}`);
}

/**
 * Starts what was built. Its version must match the tag in VERSION.
 *
 * @param command ends in `--version`
 * @throws if it does not start, or reports another version
 */
export async function smokeTest(root: string, command: readonly string[]): Promise<void> {
  const version = await buildVersion(root, process.env);
  const expected = `lw-inference-proxy ${version} (commit ${await buildCommit(root, process.env)}, `;
  const said = await outputOf(command);
  if (said.startsWith(expected)) return;
  throw new Error(`"${command.join(" ")}" says ${JSON.stringify(said)}: expected "${expected}…"`);
}

/** Sets an output of this step on GitHub, for the jobs that publish. Does nothing elsewhere. */
export function tellOutput(name: string, value: string): void {
  const file = process.env["GITHUB_OUTPUT"];
  if (file) appendFileSync(file, `${name}=${value}\n`);
}
