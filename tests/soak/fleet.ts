/** Creates and removes the containers of the soak. There are a few names, each for one container after another. */
import { existsSync } from "node:fs";
import type { Random } from "../support/client/random-json.ts";
import { buildInferenceImage, dockerCli } from "../support/server/inference-server/image.ts";
import { pick } from "./random.ts";

type TermMode = "drain" | "exit" | "ignore";

export type Slot = {
  readonly name: string;
  readonly models: readonly string[];
  readonly restartPolicy: "no" | "always";
};

/** One container that was created with a slot's name. */
export type Member = Slot & { readonly id: string; readonly termMode: TermMode };

const PREFIX = "lw-inference-proxy-soak";
/** The process that created a container. The engine is on this machine. */
const OWNER_LABEL = `${PREFIX}.process`;
/** The time before SIGKILL. It is longer than the proxy's drain timeout, so that both ends occur. */
const STOP_TIMEOUT_S = 10;

export const SLOTS: readonly Slot[] = [
  slot("a", ["alpha"]),
  slot("b", ["beta"]),
  slot("c", ["gamma", "gamma-adapter"]),
  slot("d1", ["delta"]),
  slot("d2", ["delta"]),
  slot("e1", ["epsilon"]),
  slot("e2", ["epsilon", "zeta"], "always"),
  slot("f", ["eta"], "always"),
];

export const MODELS: readonly string[] = [...new Set(SLOTS.flatMap(({ models }) => models))];

function slot(
  name: string,
  models: readonly string[],
  restartPolicy: Slot["restartPolicy"] = "no",
): Slot {
  return { name: `${PREFIX}-${name}`, models, restartPolicy };
}

export class Fleet {
  readonly #random: Random;
  readonly #journalFolder: string;
  readonly #members = new Map<string, Member>();

  /** @param journalFolder on the engine's host; the servers record their requests there */
  constructor(random: Random, journalFolder: string) {
    this.#random = random;
    this.#journalFolder = journalFolder;
  }

  /** All containers so far, by id, including removed ones. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** Creates and starts a container. The container reports its own short id as its name. */
  async create(under: Slot): Promise<void> {
    const { name, models, restartPolicy } = under;
    const termMode = pick<TermMode>(this.#random, ["drain", "drain", "exit", "ignore"]);
    const env = [`MODELS=${models.join()}`, `TERM_MODE=${termMode}`, "JOURNAL_FOLDER=/journal"];
    const output = await dockerCli(
      ...["create", "--name", name, "--label", "inference.enable=true"],
      ...["--label", `${OWNER_LABEL}=${process.pid}`],
      ...["--restart", restartPolicy, "--stop-timeout", String(STOP_TIMEOUT_S)],
      ...["--health-interval", "2s", "--health-timeout", "5s"],
      ...["--volume", `${this.#journalFolder}:/journal`],
      ...env.flatMap((variable) => ["--env", variable]),
      await buildInferenceImage(),
    );
    const id = output.trim();
    this.#members.set(id, { ...under, id, termMode }); // before another action may remove it during its start
    await dockerCli("start", id);
  }

  /** The current state of the containers, as the engine shows it. */
  async inspect(): Promise<readonly Inspected[]> {
    const names = (await dockerCli("ps", "--all", "--format", "{{.Names}}")).split("\n");
    const ours = names.filter((name) => SLOTS.some((each) => each.name === name));
    if (ours.length === 0) return [];
    const format = `{"id":{{json .Id}},"name":"{{slice .Name 1}}","status":{{json .State.Status}},"health":{{json .State.Health.Status}},"address":{{json .NetworkSettings.IPAddress}}}`;
    const lines = await dockerCli("inspect", "--format", format, ...ours);
    return lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Inspected);
  }
}

export type Inspected = {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly health: string;
  /** Empty if the container does not run. */
  readonly address: string;
};

/**
 * Removes the containers of a killed run.
 *
 * @throws if that run is still going, because its containers have the same names
 */
export async function removeLeftovers(): Promise<void> {
  const owner = livingOwner(await fleetListing(), (pid) => existsSync(`/proc/${pid}`));
  if (owner !== undefined) throw new Error(`Another soak runs on this engine, process ${owner}`);
  await remove(SLOTS.map(({ name }) => name));
}

/** Removes the containers of this run, and no others. */
export async function removeFleet(): Promise<void> {
  const own = await fleetListing(`=${process.pid}`);
  await remove(own.flatMap((line) => line.split(" ")[0] ?? []));
}

/**
 * @param listing a line for each container: its name, and the process that created it. Containers of older
 * versions have   no process.
 */
export function livingOwner(
  listing: readonly string[],
  isAlive: (pid: string) => boolean,
): string | undefined {
  const owners = listing.map((line) => line.split(" ")[1] ?? "");
  return owners.find((pid) => /^\d+$/.test(pid) && isAlive(pid));
}

async function fleetListing(value = ""): Promise<readonly string[]> {
  const output = await dockerCli(
    ...["ps", "--all", "--filter", `label=${OWNER_LABEL}${value}`],
    ...["--format", `{{.Names}} {{.Label "${OWNER_LABEL}"}}`],
  );
  return output.split("\n").filter((line) => line !== "");
}

async function remove(names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await dockerCli("rm", "--force", "--volumes", ...names).catch((error: unknown) => {
    if (!String(error).includes("No such container")) throw error;
  });
}
