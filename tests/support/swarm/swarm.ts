/**
 * A real swarm on this machine with one manager and two workers, made by swarm-in-netns.sh: each node is an
 * engine in its own network namespace. This machine has an interface in the swarm's network, so tests reach
 * the ports that the nodes publish. It does not touch the machine's own engine.
 */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { removeWithMounts } from "../engine/dockerd.ts";
import { type Docker, dockerCliAt } from "../server/inference-server/image.ts";

export type NodeName = "m1" | "w1" | "w2";
export const NODES: readonly NodeName[] = ["m1", "w1", "w2"];

/** An action on a node's daemon or on its network link. */
type Fault = "stop" | "kill" | "start" | "cut" | "mend";

const SCRIPT = join(import.meta.dir, "swarm-in-netns.sh");
const PREFIX = "lw-swarm-";
/** Tells the tests which swarm to use: see run-swarm-tests.ts. */
const VARIABLE = "TEST_SWARM";
/** Each swarm uses one subnet of 10.213.0.0/16. */
const SUBNETS = 250;

export class Swarm {
  readonly #directory: string;
  /** The first three numbers of the nodes' addresses. */
  readonly #subnet: string;

  private constructor(directory: string, subnet: string) {
    this.#directory = directory;
    this.#subnet = subnet;
  }

  /** The swarm that was given to this test run. */
  static given(): Swarm {
    const [directory, subnet] = process.env[VARIABLE]?.split(" ") ?? [];
    if (directory === undefined || subnet === undefined)
      throw new Error(
        `${VARIABLE} names no swarm. Run the tests with \`npm run test:swarm\`, which starts one`,
      );
    return new Swarm(directory, subnet);
  }

  /** Starts a swarm. First it removes the swarms of earlier runs that were killed. */
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

  /** The environment variables that its tests need. */
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

  /** A folder of this machine, so that files from a container survive the container. */
  folder(name: string): string {
    return join(this.#directory, name);
  }

  /** Does this to a node. Resolves when it is done: a starting daemon answers, a stopping one has ended. */
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
  await script(directory, "down", []).catch(() => undefined); // the rest is removed below
  removeWithMounts(directory);
}

/** Removes the swarms of killed test runs: no process has the number in their name any more. */
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
