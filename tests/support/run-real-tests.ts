/**
 * `npm run test:real`: the compiled binary in front of the real llama.cpp. Unlike `npm test` it fails if there is no
 * Docker engine or no llama.cpp. The test files are its arguments.
 */
import { findEngine } from "./engine/find.ts";
import { provideLlamaCpp } from "./llama-cpp/package.ts";

/** The most time that a test may take. Tests that need more say so. */
const BOUND = "--timeout=60000";

async function main(files: readonly string[]): Promise<number> {
  const { version } = await provideLlamaCpp();
  const engine = await findEngine(say);
  if (engine.kind === "none") throw new Error(`Cannot test with the real llama.cpp: ${engine.why}`);
  say(`llama.cpp ${version}, on Docker ${engine.version} at ${engine.host}`);
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

process.exit(await main(process.argv.slice(2)));
