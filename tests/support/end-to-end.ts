/**
 * The folders of the end-to-end tests, and what each folder needs. The folder of a test file decides how it
 * runs: no list names the file. run-tests.ts and the scripts of package.json run the tests.
 */
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** `npm test` runs these. Each needs the compiled binary. */
export const FOLDERS = {
  /** Needs nothing else: the engine and the servers are fake. */
  binary: "tests/e2e/binary",
  /** Needs a Docker engine. The tests do not touch its other containers. */
  realEngine: "tests/e2e/real-engine",
  /** Needs a Docker engine, and the real llama.cpp from Debian's mirror. */
  llamaCpp: "tests/e2e/llama-cpp",
  /** Needs root, for private engines that the tests stop and kill. */
  privateEngine: "tests/e2e/private-engine",
  /** Needs root and a kernel with VXLAN, for a private swarm of three nodes. */
  swarm: "tests/e2e/swarm",
} as const;

/** The script of the same name runs each: `npm run test:long` and so on. */
export const SLOW_FOLDERS = {
  long: "tests/long",
  attacks: "tests/attacks",
  clients: "tests/clients",
  /** Needs Debian's Chromium. */
  page: "tests/page",
  /** Needs Debian's Prometheus. */
  observe: "tests/observe",
  /** Needs the same as `FOLDERS.llamaCpp`, and runs its tests too. */
  real: "tests/real",
  /** Minutes of load on a Docker engine. */
  replicas: "tests/replicas",
  /** Replaces servers for minutes, on a Docker engine. */
  waiting: "tests/waiting",
  /** Minutes of changes and faults on a swarm of three nodes. Runs the tests of `FOLDERS.swarm` too. */
  swarm: "tests/swarm",
} as const;

/**
 * The test files of a folder, as paths for `bun test`, which by itself finds only *.test.ts.
 *
 * @throws if there are none: `bun test` without a path would run the unit tests
 */
export function filesIn(folder: string): readonly string[] {
  const files = [...new Bun.Glob(`${folder}/*.e2e.ts`).scanSync(ROOT)].sort();
  if (files.length === 0) throw new Error(`Cannot find a test file in ${folder}`);
  return files.map((file) => `./${file}`);
}
