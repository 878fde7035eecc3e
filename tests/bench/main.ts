/**
 * `bun run bench`: our compiled binary beside nginx, Caddy, HAProxy, a ReverseProxy in Go, the smallest proxy
 * on Bun and no proxy at all, on this machine, one after another in each round. README.md beside this file
 * explains the output.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { dirname } from "node:path";
import { untilModels } from "../support/client/requests.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { MODEL } from "./answers.ts";
import { launchesOfOthers, launchOfOurs } from "./launches.ts";
import { type Options, OUR_BINARY, parseOptions, USAGE } from "./options.ts";
import { find, install, missing, PROGRAMS, versionOf } from "./programs.ts";
import { atRest, measureIdle, measureRouted } from "./rest.ts";
import { add, type Samples } from "./samples.ts";
import { Swarms, whyNoSwarm } from "./swarm.ts";
import { table } from "./table.ts";
import {
  directly,
  OURS,
  type Started,
  start,
  startUpstream,
  type Target,
  type Upstream,
} from "./targets.ts";
import { measure, WORKLOADS } from "./workloads.ts";

type Run = {
  readonly options: Options;
  readonly samples: Samples;
  readonly upstream: Upstream;
  readonly engine: FakeEngine;
  readonly directory: string;
};

async function main(options: Options): Promise<number> {
  const startedMs = performance.now();
  if (options.install) install();
  build();
  const skipped = skippedBy(options);
  for (const line of skipped) say(`SKIPPED ${line}`);

  using engine = await new FakeEngine().start();
  using directory = temporaryDirectory();
  await using upstream = await startUpstream();
  engine.add({ port: upstream.port });
  const run: Run = { options, samples: new Map(), upstream, engine, directory: directory.path };
  const started = await startAll(run);
  const targets: readonly Target[] = [directly(upstream), ...started];
  const failures: string[] = [];
  try {
    if (isWanted("start", options)) await start20(run);
    for (let round = 1; round <= options.rounds; round += 1) {
      await measureAll(run, targets);
      say(`round ${round} of ${options.rounds} done after ${seconds(startedMs)} s`);
    }
    if (isWanted("idle", options)) await idle(run, started);
    if (isWanted("swarm", options)) await swarms(run);
    failures.push(...failed(run.samples), ...complaints(started));
  } finally {
    for (const target of started) await target.stop();
  }
  report(run, targets, { skipped, failures, seconds: seconds(startedMs) });
  const ours = binaries(options).some(({ name }) => failures.some((line) => line.includes(name)));
  return ours ? 1 : 0;
}

function build(): void {
  const { exitCode } = Bun.spawnSync([process.execPath, "run", "--silent", "compile"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (exitCode !== 0) throw new Error("Cannot build our binary");
}

function skippedBy({ without, only }: Options): readonly string[] {
  const noSwarm = whyNoSwarm();
  return [
    ...(noSwarm === undefined ? [] : [`the cost of a swarm: ${noSwarm}`]),
    ...missing().map((program) =>
      program === "wrk"
        ? "wrk and its workloads: not installed (--install)"
        : `${program}: not installed (--install)`,
    ),
    ...without.map((name) => `${name}: --without`),
    ...(only.length > 0 ? [`all except ${only.join(", ")}: --only`] : []),
  ];
}

function isWanted(workload: string, { only }: Options, isLong = false): boolean {
  return only.length === 0 ? !isLong : only.includes(workload);
}

/** All stay up for the whole run. Programs that are not being measured are idle. */
async function startAll({
  options,
  samples,
  upstream,
  engine,
  directory,
}: Run): Promise<readonly Started[]> {
  const launches = [
    ...launchesOfOthers(upstream, directory, options.without),
    ...binaries(options).map((binary) => launchOfOurs(binary, engine.socketPath, directory)),
  ];
  const started: Started[] = [];
  for (const launch of launches) {
    const target = await start(launch);
    started.push(target);
    if (isWanted("start", options) && target.isFor("start")) {
      add(samples, "start", target.name, atRest(target));
    }
  }
  for (const { name } of binaries(options)) {
    const port = started.find((target) => target.name === name)?.port;
    await untilModels(`http://127.0.0.1:${port}`, [MODEL]);
  }
  return started;
}

function binaries({ binaries: others }: Options): Options["binaries"] {
  return [{ name: OURS, path: OUR_BINARY }, ...others];
}

async function start20({ options, samples, upstream, directory }: Run): Promise<void> {
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const binary of binaries(options)) {
      add(samples, "start", binary.name, await measureRouted(binary, upstream, directory));
    }
  }
}

async function measureAll(
  { options, samples, upstream, directory }: Run,
  targets: readonly Target[],
): Promise<void> {
  const noWrk = find("wrk") === undefined;
  for (const workload of WORKLOADS) {
    const { name, needs, isLong } = workload;
    if (!isWanted(name, options, isLong) || (needs === "wrk" && noWrk)) continue;
    for (const target of targets.filter((each) => each.isFor(name))) {
      add(samples, name, target.name, await measure(workload, target, { upstream, directory }));
    }
  }
}

async function idle({ samples }: Run, targets: readonly Target[]): Promise<void> {
  for (const target of targets.filter((each) => each.isFor("idle"))) {
    add(samples, "idle", target.name, await measureIdle(target));
  }
}

async function swarms({ options, samples, directory }: Run): Promise<void> {
  if (whyNoSwarm() !== undefined) return;
  await using engines = await new Swarms().start();
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const binary of binaries(options)) {
      add(samples, "swarm", binary.name, await engines.measure(binary, directory));
    }
  }
}

/** A failed request makes all figures of the row worthless. */
function failed(samples: Samples): readonly string[] {
  return [...samples].flatMap(([workload, targets]) =>
    [...targets].flatMap(([target, rounds]) => {
      const count = rounds.reduce((sum, sample) => sum + (sample["failed"] ?? 0), 0);
      return count === 0 ? [] : [`${workload} through ${target}: ${count} failed`];
    }),
  );
}

/** The stderr output of the programs that should print nothing there. */
function complaints(targets: readonly Target[]): readonly string[] {
  return targets
    .filter((target) => target.complaints() !== "")
    .map((target) => `${target.name} wrote to stderr: ${target.complaints()}`);
}

function report(
  { samples, options }: Run,
  targets: readonly Target[],
  end: {
    readonly skipped: readonly string[];
    readonly failures: readonly string[];
    readonly seconds: number;
  },
): void {
  const versions = Object.fromEntries(PROGRAMS.map((program) => [program, versionOf(program)]));
  const names = targets.map(({ name }) => name);
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model}, Linux ${release()}`;
  const date = new Date().toISOString().slice(0, 10);
  say(`\n${table(samples, names)}\n`);
  say(
    `${date}, ${machine}; Bun ${Bun.version}, ${PROGRAMS.map((name) => `${name} ${versions[name] ?? "missing"}`).join(", ")}`,
  );
  say(`${options.rounds} rounds in ${end.seconds} s`);
  for (const line of end.skipped) say(`SKIPPED ${line}`);
  for (const line of end.failures) say(`FAILED ${line}`);
  const plain = Object.fromEntries(
    [...samples].map(([name, of]) => [name, Object.fromEntries(of)]),
  );
  mkdirSync(dirname(options.jsonPath), { recursive: true });
  const json = { date, machine, bun: Bun.version, versions, ...end, samples: plain };
  writeFileSync(options.jsonPath, `${JSON.stringify(json, undefined, 2)}\n`);
  say(`All figures: ${options.jsonPath}`);
}

function seconds(sinceMs: number): number {
  return Math.round((performance.now() - sinceMs) / 1000);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

try {
  process.exit(await main(parseOptions(process.argv.slice(2))));
} catch (error) {
  const wrongUse = error instanceof TypeError;
  process.stderr.write(wrongUse ? `${error.message}\n${USAGE}\n` : `${Bun.inspect(error)}\n`);
  process.exit(wrongUse ? 2 : 1);
}
