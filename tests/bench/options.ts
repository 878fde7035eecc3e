/** The command line of `bun run bench`. */
import { join } from "node:path";
import { parseArgs } from "node:util";

export type Options = {
  readonly install: boolean;
  readonly rounds: number;
  /** The workloads to run; all if empty. */
  readonly only: readonly string[];
  /** Other proxies to leave out. */
  readonly without: readonly string[];
  /** Other builds of ours, measured beside the first one. */
  readonly binaries: readonly { readonly name: string; readonly path: string }[];
  readonly jsonPath: string;
};

export const USAGE = `bun run bench [options]
  --install            installs missing programs from Debian: nginx, caddy, haproxy, go and wrk
  --rounds N           rounds, 5 by default
  --only A,B           workloads: json-1 json-32 paced flood long-last long-first image upload download idle start
                       ws-paced ws-full ws-burst ws-open swarm; paced-full runs only if you name it
  --without A,B        proxies to leave out: nginx caddy haproxy go bun
  --binary NAME=PATH   another build of ours to measure too; may be repeated. A small request is compared
                       with the build named before
  --json PATH          the file for all figures, dist/bench.json by default`;

const DIST = join(import.meta.dir, "../../dist");
export const OUR_BINARY = join(DIST, "lw-inference-proxy");

/** @throws {TypeError} on an unknown option */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      install: { type: "boolean", default: false },
      rounds: { type: "string", default: "5" },
      only: { type: "string", default: "" },
      without: { type: "string", default: "" },
      binary: { type: "string", multiple: true, default: [] },
      json: { type: "string", default: join(DIST, "bench.json") },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new TypeError("--rounds needs a number from 1");
  return {
    install: values.install,
    rounds,
    only: names(values.only),
    without: names(values.without),
    binaries: values.binary.map(binaryOf),
    jsonPath: values.json,
  };
}

function names(list: string): readonly string[] {
  return list.split(",").filter((name) => name !== "");
}

function binaryOf(text: string): { readonly name: string; readonly path: string } {
  const [, name, path] = /^([\w-]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || path === undefined) throw new TypeError("--binary needs NAME=PATH");
  return { name, path };
}
