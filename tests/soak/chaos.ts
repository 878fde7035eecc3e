/** Acts on the containers at random: one action at a time on each container, several at the same time in total. */

import type { Random } from "../support/client/random-json.ts";
import { dockerCli } from "../support/server/inference-server/image.ts";
import { type Fleet, SLOTS, type Slot } from "./fleet.ts";
import { between, pick } from "./random.ts";

type Action = {
  readonly name: string;
  /** How often to choose it, relative to the other possible actions. */
  readonly weight: number;
  readonly run: (slot: Slot, act: Acting) => Promise<unknown>;
};

type Acting = {
  readonly fleet: Fleet;
  readonly random: Random;
  /** @param atMs the time of the order to crash, ms since the epoch; the process ends then or later */
  readonly onCrash: (containerId: string, atMs: number) => void;
};

const ACTIONS_AT_ONCE_MAX = 4;

const stop: Action = { name: "stop", weight: 4, run: ({ name }) => dockerCli("stop", name) };
const kill: Action = { name: "kill", weight: 2, run: ({ name }) => dockerCli("kill", name) };
const remove: Action = {
  name: "remove by force",
  weight: 1,
  run: ({ name }) => dockerCli("rm", "--force", name),
};
const recreate: Action = {
  name: "remove and create",
  weight: 2,
  run: async (slot, { fleet }) => {
    await dockerCli("rm", "--force", slot.name);
    await fleet.create(slot);
  },
};

/** The possible actions for each state that the engine shows. */
const ACTIONS: Readonly<Record<string, readonly Action[]>> = {
  absent: [{ name: "create", weight: 1, run: (slot, { fleet }) => fleet.create(slot) }],
  exited: [
    { name: "start", weight: 4, run: ({ name }) => dockerCli("start", name) },
    { ...recreate, weight: 1 },
  ],
  running: [
    { name: "leave alone", weight: 20, run: async () => undefined },
    stop,
    kill,
    remove,
    recreate,
    { name: "crash", weight: 4, run: crash },
    { name: "turn unhealthy", weight: 3, run: ({ name }) => tell(name, "/health?state=bad") },
    { name: "pause", weight: 2, run: ({ name }) => dockerCli("pause", name) },
    { name: "restart", weight: 3, run: restart },
    { name: "signal HUP", weight: 1, run: ({ name }) => dockerCli("kill", "--signal=HUP", name) },
    { name: "stop twice", weight: 1, run: stopTwice },
    { name: "remove while it stops", weight: 1, run: removeWhileItStops },
  ],
  unhealthy: [
    { name: "turn healthy", weight: 5, run: ({ name }) => tell(name, "/health?state=good") },
    { ...stop, name: "stop while unhealthy", weight: 1 },
    { name: "crash while unhealthy", weight: 1, run: crash },
    { name: "restart while unhealthy", weight: 1, run: restart },
  ],
  paused: [
    { name: "unpause", weight: 6, run: ({ name }) => dockerCli("unpause", name) },
    { ...stop, name: "stop while paused", weight: 1 },
    { ...kill, name: "kill while paused", weight: 1 },
    { ...remove, name: "remove while paused" },
  ],
};

export class Chaos {
  readonly #acting: Acting;
  readonly #busy = new Map<Slot, Promise<void>>();
  /** The number of times for each action. */
  readonly counts = new Map<string, number>();
  /** Actions that the engine refused. This happens when two collide, such as our stop and a restart by policy. */
  readonly refusals: string[] = [];

  constructor(acting: Acting) {
    this.#acting = acting;
  }

  /** Acts until `endMs`. Resolves when every action has ended. */
  async runUntil(endMs: number): Promise<void> {
    const { random } = this.#acting;
    while (Date.now() < endMs) {
      this.#begin();
      await Bun.sleep(between(random, 200, 1_200)); // the pace of the actions
    }
    await Promise.all(this.#busy.values());
  }

  #begin(): void {
    const { random } = this.#acting;
    const idle = SLOTS.filter((each) => !this.#busy.has(each));
    if (this.#busy.size >= ACTIONS_AT_ONCE_MAX || idle.length === 0) return;
    const slot = pick(random, idle);
    const other = random(12) === 0 ? pick(random, idle) : slot;
    const done = other === slot ? this.#act(slot) : this.#exchange(slot, other);
    for (const each of new Set([slot, other])) {
      const ended = done.catch((error: unknown) => void this.refusals.push(String(error)));
      this.#busy.set(
        each,
        ended.finally(() => this.#busy.delete(each)),
      );
    }
  }

  async #act(slot: Slot): Promise<void> {
    const status = await statusOf(slot.name);
    const choices = ACTIONS[status] ?? []; // leave other states alone, such as restarting
    if (choices.length === 0) return;
    const { random } = this.#acting;
    const action = pick(
      random,
      choices.flatMap((choice) => Array.from({ length: choice.weight }, () => choice)),
    );
    this.#count(action.name);
    await action.run(slot, this.#acting);
  }

  /** Removes both and creates both again, so that each may get the other's address. */
  async #exchange(a: Slot, b: Slot): Promise<void> {
    this.#count("exchange addresses");
    const { fleet } = this.#acting;
    await dockerCli("rm", "--force", a.name, b.name).catch(() => undefined); // one may be missing
    await fleet.create(b);
    await fleet.create(a);
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/** Unpauses every container, so that requests can end. */
export async function unpauseAll(): Promise<void> {
  for (const { name } of SLOTS) {
    if ((await statusOf(name)) === "paused") await dockerCli("unpause", name);
  }
}

async function statusOf(name: string): Promise<string> {
  return dockerCli("inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", name).then(
    (output) => {
      const [status = "", health] = output.trim().split(" ");
      return status === "running" && health === "unhealthy" ? health : status;
    },
    () => "absent",
  );
}

/** Records the crash itself, because the engine may report it much later. */
async function crash({ name }: Slot, { onCrash }: Acting): Promise<void> {
  const id = await dockerCli("inspect", "--format", "{{.Id}}", name);
  onCrash(id.trim(), Date.now());
  await tell(name, "/crash");
}

/** Gives a server an order, directly, not through the proxy. A server that crashes does not answer. */
async function tell(name: string, what: string): Promise<void> {
  const address = await dockerCli("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name);
  const url = `http://${address.trim()}:8000/admin${what}`;
  const signal = AbortSignal.timeout(2_000);
  await fetch(url, { method: "POST", keepalive: false, signal }).catch(() => undefined);
}

function restart({ name }: Slot, { random }: Acting): Promise<string> {
  return dockerCli("restart", "--time", String(pick(random, [0, 3, 10])), name);
}

async function stopTwice({ name }: Slot, { random }: Acting): Promise<void> {
  const first = dockerCli("stop", name);
  await Bun.sleep(random(1_000)); // any moment of the stop
  await Promise.all([first, dockerCli("stop", name)]);
}

async function removeWhileItStops({ name }: Slot, { random }: Acting): Promise<void> {
  const stopping = dockerCli("stop", name).catch(() => undefined); // there may be nothing left to stop
  await Bun.sleep(random(2_000)); // any moment of the stop
  await dockerCli("rm", "--force", name);
  await stopping;
}
