/** Runs test files with Bun's test runner on a real Docker engine. Fails without an engine. */
import { findEngine } from "./find.ts";

/** The longest time for a test. Tests that need more set their own limit. */
const BOUND = "--timeout=60000";

/**
 * @param what the subject of the tests, for the title
 * @returns the exit code of the test runner
 * @throws if no engine runs, and none can be started
 */
export async function runOnEngine(what: string, files: readonly string[]): Promise<number> {
  const engine = await findEngine(say);
  if (engine.kind === "none") throw new Error(`Cannot test ${what}: ${engine.why}`);
  say(`${what}, on Docker ${engine.version} at ${engine.host}`);
  try {
    const child = Bun.spawn([process.execPath, "test", BOUND, ...files], {
      env: { ...process.env, DOCKER_HOST: engine.host },
      stdio: ["ignore", "inherit", "inherit"],
    });
    return await child.exited;
  } finally {
    await engine.stop();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
