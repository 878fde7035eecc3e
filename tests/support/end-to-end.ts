/**
 * Where the end-to-end tests are, and what each folder needs. A test file belongs to a folder by where it
 * lies: no list names it. Keeps out how they are run: see run-tests.ts and the scripts of package.json.
 */
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "../..");

/** `npm test` runs these. Each needs the compiled binary. */
export const FOLDERS = {
  /** Nothing else: the engine is a fake one, and so are the servers. */
  binary: "tests/e2e/binary",
  /** A Docker engine, whose other containers are left alone. */
  realEngine: "tests/e2e/real-engine",
  /** A Docker engine, and the real llama.cpp from Debian's mirror. */
  llamaCpp: "tests/e2e/llama-cpp",
  /** Root, for an engine of their own that they stop and kill. */
  privateEngine: "tests/e2e/private-engine",
  /** Root and a kernel with VXLAN, for a swarm of three nodes of their own. */
  swarm: "tests/e2e/swarm",
} as const;

/** Each is run by the script of its name: `npm run test:long` and so on. */
export const SLOW_FOLDERS = {
  long: "tests/long",
  attacks: "tests/attacks",
  clients: "tests/clients",
  /** Debian's Chromium. */
  page: "tests/page",
  /** Debian's Prometheus. */
  observe: "tests/observe",
  /** With those of `FOLDERS.llamaCpp`. */
  real: "tests/real",
  /** Minutes of load, on a Docker engine. */
  replicas: "tests/replicas",
  /** Minutes in which servers are replaced, on a Docker engine. */
  waiting: "tests/waiting",
  /** Minutes of changes and faults on a swarm of three nodes; with those of `FOLDERS.swarm`. */
  swarm: "tests/swarm",
} as const;

/**
 * The test files of a folder, as paths for `bun test`: by itself it finds *.test.ts only.
 *
 * @throws if there is none: `bun test` without a path would run the unit tests
 */
export function filesIn(folder: string): readonly string[] {
  const files = [...new Bun.Glob(`${folder}/*.e2e.ts`).scanSync(ROOT)].sort();
  if (files.length === 0) throw new Error(`Cannot find a test file in ${folder}`);
  return files.map((file) => `./${file}`);
}
