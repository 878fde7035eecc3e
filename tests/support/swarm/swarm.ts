/**
 * A real swarm on this machine, of one manager and two workers, as swarm-in-netns.sh makes it: each node is an engine in
 * network namespaces of its own. It has an interface on this machine, so tests reach ports that the nodes publish. Nothing
 * of the machine's own engine is touched.
 */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { removeWithMounts } from "../engine/dockerd.ts";
import { type Docker, dockerCliAt } from "../server/inference-server/image.ts";

export type NodeName = "m1" | "w1" | "w2";
export const NODES: readonly NodeName[] = ["m1", "w1", "w2"];

/** What can be done to a node: its daemon, or its network link. */
type Fault = "stop" | "kill" | "start" | "cut" | "mend";

const SCRIPT = join(import.meta.dir, "swarm-in-netns.sh");
const PREFIX = "lw-swarm-";
/** Tells the tests which swarm is theirs: see run-swarm-tests.ts. */
const VARIABLE = "TEST_SWARM";
/** Each takes a subnet of 10.213.0.0/16. */
const SUBNETS = 250;

export class Swarm {
  readonly #directory: string;
  /** The first three numbers of the nodes' addresses. */
  readonly #subnet: string;

  private constructor(directory: string, subnet: string) {
    this.#directory = directory;
    this.#subnet = subnet;
  }

  /** The one that this test run was given. */
  static given(): Swarm {
    const [directory, subnet] = process.env[VARIABLE]?.split(" ") ?? [];
    if (directory === undefined || subnet === undefined)
      throw new Error(`${VARIABLE} names no swarm: \`npm run test:swarm\` makes one`);
    return new Swarm(directory, subnet);
  }

  /** Makes one. First it removes those of earlier runs that were killed. */
  static async start(): Promise<Swarm & AsyncDisposable> {
    await removeLeftovers();
    const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
    const swarm = new Swarm(directory, freeSubnet());
    const dispose = async (): Promise<void> => remove(directory);
    try {
      await swarm.#run("up", "--host-link");
    } catch (error) {
      await dispose();
      throw error;
    }
    return Object.assign(swarm, { [Symbol.asyncDispose]: dispose });
  }

  /** What tests need to know of it, for their environment. */
  get environment(): Readonly<Record<string, string>> {
    return { [VARIABLE]: `${this.#directory} ${this.#subnet}` };
  }

  /** This machine's address, as the nodes and their containers see it. */
  get hostAddress(): string {
    return `${this.#subnet}.1`;
  }

  addressOf(node: NodeName): string {
    return `${this.#subnet}.${{ m1: 11, w1: 21, w2: 22 }[node]}`;
  }

  socketOf(node: NodeName): string {
    return join(this.#directory, node, "docker.sock");
  }

  dockerOn(node: NodeName): Docker {
    return dockerCliAt(`unix://${this.socketOf(node)}`);
  }

  /** A folder of this machine, so that what a container writes there outlives it. */
  folder(name: string): string {
    return join(this.#directory, name);
  }

  /** Does it to a node. Resolves when it is done: a daemon that starts answers, one that stops has ended. */
  async fault(fault: Fault, node: NodeName): Promise<void> {
    await this.#run(fault, node);
  }

  async #run(verb: string, ...args: readonly string[]): Promise<void> {
    await script(this.#directory, verb, args, this.#subnet);
  }
}

async function script(
  directory: string,
  verb: string,
  args: readonly string[],
  subnet = "",
): Promise<void> {
  const child = Bun.spawn(["bash", SCRIPT, verb, directory, ...args], {
    env: { ...process.env, ...(subnet !== "" && { SUBNET: subnet }) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const errors = await child.stderr.text();
  if ((await child.exited) === 0) return;
  throw new Error(`Cannot ${verb} the swarm at ${directory} (${args.join(" ")}): ${errors.trim()}`);
}

async function remove(directory: string): Promise<void> {
  await script(directory, "down", []).catch(() => undefined); // what is left of it goes below
  removeWithMounts(directory);
}

/** Of test runs that were killed: no process has the number in their name any more. */
async function removeLeftovers(): Promise<void> {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX));
  for (const directory of names.map((name) => join(tmpdir(), name))) {
    const pid = basename(directory).slice(PREFIX.length).split("-")[0];
    if (existsSync(`/proc/${pid}`)) continue;
    await remove(directory);
  }
}

function freeSubnet(): string {
  const taken = Bun.spawnSync(["ip", "-oneline", "address", "show"]).stdout.toString();
  for (let n = 0; n < SUBNETS; n += 1) {
    const subnet = `10.213.${(process.pid + n) % SUBNETS}`;
    if (!taken.includes(` ${subnet}.`)) return subnet;
  }
  throw new Error("Cannot find a free subnet below 10.213.0.0/16");
}
