/**
 * A random life of a routing table: servers come, drain, go and come back. Requests are routed and end in
 * every possible way. It counts separately what they take and give back.
 */
import type { Backend, CloseReason, Lease } from "../../../src/routing/backend.ts";
import { Load } from "../../../src/routing/load.ts";
import type { Asking, Route } from "../../../src/routing/routes.ts";
import type { Run } from "../../../src/routing/run.ts";
import { RoutingTable } from "../../../src/routing/table.ts";
import { type Random, seededRandom } from "../client/random-json.ts";
import { makeBackend } from "../server/backends.ts";

const KIB = 1024;
/** The largest number of bytes that one request may count: see `choose.ts`. */
const COST_MAX = 256 * KIB;
const SERVERS = 6;
const IN_FLIGHT_MAX = 60;
export const REASONS: readonly CloseReason[] = ["run-over", "cut"];

export type Tally = { inFlight: number; unreadBytes: number };

/** A server in the world. Its backend in the table comes and goes, and its runs follow each other. */
type Server = {
  readonly isReplica: boolean;
  readonly maxInFlight: number;
  run: Run;
  load: Load;
  active: Backend | undefined;
  readonly draining: Set<Backend>;
};

/** A request in flight, and what it has taken. */
type Open = {
  readonly lease: Lease;
  readonly prompt: Uint8Array | undefined;
  unreadBytes: number;
  /** The request ends at the moment when its backend is closed, not later. */
  readonly endsWhenClosed: boolean;
};

export class Life {
  readonly #random: Random;
  readonly #table: RoutingTable;
  readonly #servers: Server[] = [];
  readonly #tallies = new Map<Load, Tally>();
  readonly #open = new Set<Open>();
  #nowMs = 0;
  #starts = 0;
  ends = 0;
  readonly ways = new Map<string, number>();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#table = new RoutingTable(undefined, { now: () => this.#nowMs });
    for (let index = 0; index < SERVERS; index += 1) {
      const load = new Load();
      this.#servers.push({
        isReplica: index > 0,
        maxInFlight: [1_000, 5, 20][index % 3]!,
        run: { source: "docker", id: `${index}`, startedAtMs: 0 },
        load,
        active: undefined,
        draining: new Set(),
      });
      this.#start(this.#servers.at(-1)!);
    }
  }

  step(): void {
    this.#nowMs += this.#random(50);
    const happens = this.#random(100);
    if (happens < 45) this.#request();
    else if (happens < 60) this.#answering();
    else if (happens < 90) this.#end();
    else if (happens < 93) this.#fail();
    else this.#change(this.#one(this.#servers));
    if (this.#open.size > IN_FLIGHT_MAX) this.#end();
  }

  /** Ends all requests in flight. */
  finish(): void {
    while (this.#open.size > 0) this.#end();
  }

  /** The counts in the loads, and the correct counts. */
  get counted(): readonly [got: readonly Tally[], wanted: readonly Tally[]] {
    const got = [...this.#tallies.keys()].map(({ inFlight, unreadBytes }) => ({
      inFlight,
      unreadBytes,
    }));
    return [got, [...this.#tallies.values()]];
  }

  #request(failed?: ReadonlySet<Backend>, again?: Uint8Array): void {
    const prompt = again ?? this.#prompt();
    const route = this.#route({ prompt, failed });
    if (route?.kind !== "routed") {
      this.#saw(route?.kind ?? "in doubt");
      return;
    }
    const { lease, decision = "newest", mayMove } = route;
    const { load } = lease.backend;
    const tally = this.#tallies.get(load)!;
    const unreadBytes = load.unreadBytes - tally.unreadBytes;
    // No request counts more bytes than its prompt has. A request that is bound to one server counts none.
    const most = mayMove ? Math.min(prompt?.length ?? 0, COST_MAX) : 0;
    if (unreadBytes < 0 || unreadBytes > most)
      throw new Error(`The request counts ${unreadBytes} bytes, but at most ${most} are allowed`);
    this.#saw(decision);
    tally.inFlight += 1;
    tally.unreadBytes += unreadBytes;
    const open = { lease, prompt, unreadBytes, endsWhenClosed: this.#random(2) === 0 };
    this.#open.add(open);
    lease.onClose(() => {
      if (open.endsWhenClosed) this.#ends(open);
    });
  }

  #route(asking: Asking): Route | undefined {
    const server = this.#one(this.#servers);
    const ways = [
      () => this.#table.route("m", { ...asking, madeBy: server.run }),
      () => this.#table.route("m", { ...asking, goesToNewest: true }),
      () => this.#table.only(asking),
      () => this.#table.onlyServer(),
      () => this.#table.newest(),
      () => this.#table.routeToRun(server.run),
    ];
    return (ways[this.#random(20)] ?? (() => this.#table.route("m", asking)))();
  }

  #answering(): void {
    if (this.#open.size === 0) return;
    const open = this.#one([...this.#open]);
    this.#tallies.get(open.lease.backend.load)!.unreadBytes -= open.unreadBytes;
    open.unreadBytes = 0;
    for (let times = 1 + this.#random(2); times > 0; times -= 1) open.lease.answering();
  }

  #end(): void {
    if (this.#open.size > 0) this.#ends(this.#one([...this.#open]));
  }

  /** Ends a request once or twice, with an answer that begins too late. */
  #ends(open: Open): void {
    if (!this.#open.delete(open)) return;
    const { lease } = open;
    const tally = this.#tallies.get(lease.backend.load)!;
    tally.inFlight -= 1;
    tally.unreadBytes -= open.unreadBytes;
    this.ends += 1;
    lease.end();
    if (this.#random(3) === 0) lease.answering();
    if (this.#random(3) === 0) lease.end();
  }

  /** A server refuses a request. It gets no requests for a while, and another server gets this one. */
  #fail(): void {
    if (this.#open.size === 0) return;
    const open = this.#one([...this.#open]);
    const { backend } = open.lease;
    this.#ends(open);
    backend.load.cool(this.#nowMs + 1_000);
    this.#request(new Set([backend]), open.prompt);
  }

  #change(server: Server): void {
    const { active, draining } = server;
    if (active === undefined) {
      // The server is healthy again, or a new run of it starts.
      if (this.#random(2) === 0) this.#admit(server);
      else this.#start(server);
    } else {
      server.active = undefined;
      if (this.#random(4) === 0) this.#remove(active, "run-over");
      else {
        this.#table.drain(active);
        draining.add(active);
      }
    }
    const closed = [...draining].filter(() => this.#random(3) === 0);
    for (const backend of closed) {
      draining.delete(backend);
      this.#remove(backend, this.#one(REASONS));
      if (this.#random(3) === 0) this.#remove(backend, "run-over");
    }
  }

  #remove(backend: Backend, reason: CloseReason): void {
    this.#table.remove(backend, reason);
    this.#saw(reason);
  }

  #start(server: Server): void {
    this.#starts += 1;
    server.run = { ...server.run, startedAtMs: this.#starts };
    server.load = new Load(server.maxInFlight);
    this.#tallies.set(server.load, { inFlight: 0, unreadBytes: 0 });
    this.#forgetIdle();
    this.#admit(server);
  }

  #admit(server: Server): void {
    const { run, load, isReplica } = server;
    server.active = makeBackend({ run, load, isReplica });
    this.#table.admit(server.active);
  }

  /** Forgets ended runs that have nothing left to give back, so that their number does not grow for ever. */
  #forgetIdle(): void {
    const held = new Set([...this.#open].map(({ lease }) => lease.backend.load));
    const current = new Set(this.#servers.map(({ load }) => load));
    for (const load of this.#tallies.keys()) {
      if (held.has(load) || current.has(load)) continue;
      if (load.inFlight !== 0 || load.unreadBytes !== 0)
        throw new Error("An ended run still has requests or bytes in its counts");
      this.#tallies.delete(load);
    }
  }

  /** Several conversations, which grow. */
  #prompt(): Uint8Array | undefined {
    const random = this.#random;
    if (random(6) === 0) return undefined;
    const length = random(12) === 0 ? random(2_000) * KIB : random(40 * KIB);
    return new Uint8Array(length).fill(random(5));
  }

  #one<T>(from: readonly T[]): T {
    return from[this.#random(from.length)]!;
  }

  #saw(way: string): void {
    this.ways.set(way, (this.ways.get(way) ?? 0) + 1);
  }
}
