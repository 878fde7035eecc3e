/**
 * `npm test`: runs every check and every test, step by step, and prints the name of each step before it runs.
 * At the end it prints how many tests passed and failed, by the test runner's count. For the list of tests
 * see end-to-end.ts.
 *
 * The tests on a real engine use the engine at DOCKER_HOST or at the default socket. If no engine runs there
 * and TEST_ENGINE=install is set, it installs Debian's docker.io and starts an engine. As root it also starts
 * a private engine, which tests stop and kill, and a swarm of three nodes.
 */
import { FOLDERS, filesIn } from "./end-to-end.ts";
import { findEngine, type TestEngine } from "./engine/find.ts";
import { whyNoPrivateEngine } from "./engine/private.ts";
import { whyNoLlamaCpp } from "./llama-cpp/package.ts";
import { withSwarm } from "./swarm/run-on-swarm.ts";
import { whyNoSwarm } from "./swarm/why-no-swarm.ts";

const BUN = process.execPath;

type Counts = { passed: number; failed: number };
type Step = (name: string, run: () => Promise<boolean>) => Promise<void>;

const UNIT_TESTS = "Unit tests";
/** Without a path, Bun's test runner runs *.test.ts: the unit tests. All other tests are named by path. */
const UNIT = ["--randomize", "--coverage"];
/**
 * The longest time for a test that starts processes or containers. Tests that need more set their own limit.
 */
const BOUND = ["--timeout=60000"];
async function main(): Promise<number> {
  const counts: Counts = { passed: 0, failed: 0 };
  const failures: string[] = [];
  const step: Step = async (name, run) => {
    say(`\n── ${name}`);
    const failedBefore = counts.failed;
    if (await run()) return;
    const coverage = name === UNIT_TESTS && counts.failed === failedBefore;
    failures.push(
      coverage ? `${name}: a file's coverage is below coverageThreshold in bunfig.toml` : name,
    );
  };
  await step("Format, lint and import table", () => command("biome", "ci", "--error-on-warnings"));
  await step("Types", () => command("tsc"));
  await step("Unused code", () => command("knip"));
  await step(UNIT_TESTS, () => tests(counts, UNIT));
  await step("Build of dist/lw-inference-proxy", () => spawn([BUN, "run", "build"]));
  await step("The demo, and the compiled binary in front of a fake engine", () =>
    tests(counts, [...BOUND, ...filesIn(FOLDERS.binary)]),
  );
  const skipped = [...(await realEngine(counts, step)), ...(await realSwarm(counts, step))];

  say("");
  for (const failure of failures) say(`Failed: ${failure}`);
  for (const why of skipped) say(`SKIPPED ${why}`);
  say(`${counts.passed} passed, ${counts.failed} failed`);
  return failures.length === 0 && counts.failed === 0 ? 0 : 1;
}

/** @returns the skipped tests, with the reason */
async function realEngine(counts: Counts, step: Step): Promise<readonly string[]> {
  say("\n── The compiled binary in front of containers of a real engine");
  const engine: TestEngine = await findEngine(say);
  if (engine.kind === "none") return [`the tests on a real engine: ${engine.why}`];
  try {
    await step(`on Docker ${engine.version} at ${engine.host}`, () =>
      tests(counts, [...BOUND, ...filesIn(FOLDERS.realEngine)], { DOCKER_HOST: engine.host }),
    );
    await realServer(counts, step, engine.host);
  } finally {
    await engine.stop();
  }
  const why = whyNoPrivateEngine();
  if (why !== undefined) return [`the tests that stop and kill a real engine: ${why}`];
  await step("on a private engine that stops, dies and comes back", () =>
    tests(counts, [...BOUND, ...filesIn(FOLDERS.privateEngine)]),
  );
  return [];
}

/** @returns the skipped tests, with the reason */
async function realSwarm(counts: Counts, step: Step): Promise<readonly string[]> {
  const why = await whyNoSwarm();
  if (why !== undefined) return [`the tests on a swarm: ${why}`];
  await step("The compiled binary on a swarm of three nodes", async () => {
    try {
      return await withSwarm((environment) =>
        tests(counts, [...BOUND, ...filesIn(FOLDERS.swarm)], environment),
      );
    } catch (error) {
      say(`Cannot start a swarm: ${error}`);
      return false;
    }
  });
  return [];
}

/** Only the nightly run fails without llama.cpp: a mirror may be down, or Debian's package may be broken. */
async function realServer(counts: Counts, step: Step, host: string): Promise<void> {
  const why = await whyNoLlamaCpp();
  if (why !== undefined) {
    say(`Not tested with the real llama.cpp (only npm run test:real fails without it): ${why}`);
    return;
  }
  await step("in front of the real llama.cpp", () =>
    tests(counts, [...BOUND, ...filesIn(FOLDERS.llamaCpp)], { DOCKER_HOST: host }),
  );
}

function command(name: string, ...args: readonly string[]): Promise<boolean> {
  return spawn([BUN, "x", "--no-install", name, ...args]);
}

async function spawn(command_: readonly string[]): Promise<boolean> {
  const child = Bun.spawn([...command_], { stdio: ["ignore", "inherit", "inherit"] });
  return (await child.exited) === 0;
}

/** Runs Bun's test runner, shows its output, and adds up its summary. */
async function tests(
  counts: Counts,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const child = Bun.spawn([BUN, "test", "--only-failures", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "pipe"],
  });
  let output = "";
  const utf8 = new TextDecoder();
  for await (const bytes of child.stderr) {
    process.stderr.write(bytes);
    output += utf8.decode(bytes, { stream: true });
  }
  counts.passed += Number(/^\s*(\d+) pass$/m.exec(output)?.[1] ?? 0);
  counts.failed += Number(/^\s*(\d+) fail$/m.exec(output)?.[1] ?? 0);
  return (await child.exited) === 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exit(await main());
