/**
 * A request that may wait: takes a lease and is forwarded, or waits in the waiting room until that can be done. Says at
 * the end of its waits why nobody took it, and how long it has waited.
 */
import type { Asking, Routed } from "../routing/routes.ts";
import { type Answer, ofOurs } from "./answer.ts";
import { laneOf } from "./asking.ts";
import type { KeptBytes } from "./body/kept-bytes.ts";
import type { ReadResult, RequestBody } from "./body/read-result.ts";
import { lengthOf } from "./body/request-body.ts";
import type { Exchange } from "./exchange.ts";
import type { Forwarder, Unsent } from "./forward.ts";
import { type Addressed, type Refused, take } from "./lease.ts";
import { clientGone, type Refusal, refuse } from "./own/errors.ts";
import { type Models, noBackend } from "./own/models-list.ts";
import { Tries } from "./tries.ts";
import { goneRefusal, NOBODY, STOPPING, TOO_MANY_WAIT, waitedFor } from "./wait-words.ts";
import type { Tried, WaitEnd, WaitingRoom } from "./waiting-room.ts";

/** A request whose body has been read as far as it must be. */
export type Going<To extends Addressed = Addressed> = {
  readonly exchange: Exchange;
  readonly destination: To;
  readonly body: RequestBody;
  readonly read: Pick<ReadResult, "readOn">;
  /** What routing looks at. */
  readonly asking: Asking;
  /** Says whether another server may get the request, after one that may have worked on it. */
  readonly mayRepeat: boolean;
};

/** A request that names its model. */
export type Named = Extract<Addressed, { kind: "model" }>;

export type SendingInit = Models & { readonly forwarder: Forwarder; readonly kept: KeptBytes };

/** What Bun keeps at most of a body that nobody reads on, bytes (measured, 1.4.5). */
const UNREAD_BYTES = 1.5 * 1024 * 1024;

/** So long a server that has refused a request is left alone with it, ms, unless another one comes. */
const AGAIN_MS = 1_000;

/** A body that comes as a stream is sent once: its prompt need not be kept for another choice. */
export function askingAgain({ body, asking }: Pick<Going, "body" | "asking">): Asking {
  return body.kind === "stream" ? {} : asking;
}

const WAITS = { kind: "waits" } as const;

type Sending = Promise<Answer | Unsent>;

/** Waits as often as it takes, until its time is up. */
export class PatientRequest {
  readonly #going: Going<Named>;
  readonly #init: SendingInit;
  readonly #room: WaitingRoom;
  readonly #tries: Tries;
  readonly #arrival = nextNumber();
  #hasWaited = false;
  /** All its waits together, ms. */
  #waitedMs = 0;
  /** Why nobody took it when it tried last. */
  #refused: Refused | undefined;
  /** What became of it at the server that had it last. */
  #unsent: Unsent | undefined;
  /** Until then it goes to none of the servers that have failed it. */
  #leavesAloneUntilMs = 0;

  constructor(going: Going<Named>, init: SendingInit, room: WaitingRoom) {
    this.#going = going;
    this.#init = init;
    this.#room = room;
    this.#tries = new Tries(going.mayRepeat);
  }

  async answer(): Promise<Answer> {
    let tried = this.#try();
    for (;;) {
      if (tried.kind === "waits") {
        const end = await this.#wait();
        if (end.kind !== "routed") return this.#told(end);
        tried = end;
      }
      if (tried.kind === "gone") return this.#gone();
      const answer = await tried.value;
      if (answer.by !== "nobody") return answer;
      this.#comesBack(answer);
      tried = this.#try(); // nobody would wake it for what has changed since it had a lease
    }
  }

  /** Waits behind those that wait already. */
  #try(): Tried<Sending> {
    return this.#room.isBehind(this.#model, this.#lane) ? WAITS : this.#attempt();
  }

  /** Called again and again while it waits. */
  #attempt(): Tried<Sending> {
    const { destination, asking } = this.#going;
    const { failed } = this.#tries;
    if (performance.now() >= this.#leavesAloneUntilMs) this.#tries.forgive();
    const all = failed.size > 0 ? { ...asking, failed } : asking;
    const taken = take(destination, this.#init, all);
    if (taken.kind === "routed") return { kind: "routed", value: this.#send(taken) };
    this.#refused = taken;
    if (failed.size === 0) this.#unsent = undefined; // now another reason keeps it from its server
    return taken.mayPass ? WAITS : { kind: "gone" };
  }

  /** Must be called in the step that took the lease. */
  #send(routed: Routed): Promise<Answer | Unsent> {
    const { body } = this.#going;
    return body.kind === "stream" && this.#hasWaited
      ? this.#readOnThenForward(routed)
      : this.#forward(routed);
  }

  #forward(routed: Routed): Promise<Answer | Unsent> {
    const { forwarder } = this.#init;
    const again = { asking: askingAgain(this.#going), tries: this.#tries, mayWait: true };
    return forwarder.forward({ ...this.#going, ...again }, routed);
  }

  /**
   * While it waits its body is not read on. So it is not known whether its client is still there, until some more
   * has been read: nothing is to be sent for one that has left.
   */
  async #readOnThenForward(routed: Routed): Promise<Answer | Unsent> {
    const { lease } = routed;
    const { exchange, read } = this.#going;
    try {
      await read.readOn();
    } catch (error) {
      lease.end();
      throw error;
    }
    if (!exchange.request.signal.aborted && lease.backend.state === "active") {
      return this.#forward(routed);
    }
    lease.end();
    return exchange.request.signal.aborted ? ofOurs(clientGone()) : { by: "nobody" };
  }

  /** The server that had it has not answered, and nothing is lost: it waits for another one, or for this one again. */
  #comesBack(unsent: Unsent): void {
    this.#unsent = unsent;
    if (unsent.failed === undefined) return;
    this.#leavesAloneUntilMs = performance.now() + AGAIN_MS;
    setTimeout(() => this.#room.wake(), AGAIN_MS + 1);
  }

  async #wait(): Promise<WaitEnd<Sending> | { readonly kind: "full" }> {
    const room = this.#room;
    if (room.isClosed) return { kind: "closed", waitedMs: 0 };
    const release = room.isFull ? undefined : this.#reserve();
    if (release === undefined) return { kind: "full" };
    this.#hasWaited = true;
    const { exchange } = this.#going;
    const end = await room.wait({
      model: this.#model,
      lane: this.#lane,
      signal: exchange.request.signal,
      patienceMs: Math.max(0, room.timeoutMs - this.#waitedMs),
      reason: this.#reason,
      arrival: this.#arrival,
      waits: () => exchange.report.waits(),
      attempt: () => this.#attempt(),
    });
    release();
    this.#waitedMs += end.waitedMs;
    return end;
  }

  /** Counts what Bun keeps of a body that is not read on. @returns undefined if there is no room for it */
  #reserve(): (() => void) | undefined {
    const { body, exchange } = this.#going;
    if (body.kind !== "stream") return () => undefined; // it is kept by us, and counted
    return this.#init.kept.reserve(Math.min(lengthOf(exchange.request), UNREAD_BYTES));
  }

  async #told(
    end: Exclude<WaitEnd<Sending>, { kind: "routed" }> | { readonly kind: "full" },
  ): Promise<Answer> {
    switch (end.kind) {
      case "client_gone":
        return ofOurs(clientGone());
      case "full":
        return this.#refuse(TOO_MANY_WAIT);
      case "closed":
        return this.#refuse(STOPPING);
      case "gone":
        return this.#gone();
      case "timeout":
        return this.#timedOut();
    }
  }

  /** The same answer as without waiting, and how long it has waited. */
  async #timedOut(): Promise<Answer> {
    const { destination, exchange } = this.#going;
    const failed = this.#unsent?.failed;
    if (failed === undefined) {
      const tried = this.#attempt();
      const answer = tried.kind === "routed" ? await tried.value : undefined;
      if (answer === undefined) return this.#refuse();
      if (answer.by !== "nobody") return answer;
      this.#unsent = answer;
      return this.#timedOut();
    }
    const found = this.#init.routes.find(destination.model);
    return found.kind === "live"
      ? this.#init.forwarder.giveUp(exchange, failed, this.#note)
      : this.#refuse(noBackend(destination.model, found, this.#init));
  }

  /** Nobody will come. */
  #gone(): Answer {
    const { model } = this.#going.destination;
    const found = this.#init.routes.find(model);
    if (!this.#hasWaited || found.kind !== "unknown") return this.#refuse();
    return this.#refuse(goneRefusal(model, found));
  }

  #refuse({ code, message }: Refusal = this.#refused?.refusal() ?? NOBODY): Answer {
    return ofOurs(refuse({ code, message: `${message}${this.#note}` }));
  }

  /** Says how long it has waited. */
  get #note(): string {
    return this.#hasWaited ? waitedFor(this.#waitedMs) : "";
  }

  get #model(): string {
    return this.#going.exchange.model ?? this.#going.destination.model;
  }

  get #reason(): string {
    if (this.#unsent?.failed !== undefined) return "its server has not answered";
    return this.#refused?.reason ?? "others wait for it already";
  }

  /** A request that a server has failed may not go where the others of its lane may. */
  get #lane(): string {
    if (this.#unsent?.failed !== undefined) return `again ${this.#arrival}`;
    return laneOf(this.#going.destination.model, this.#going.asking);
  }
}

let arrivals = 0;

function nextNumber(): number {
  arrivals += 1;
  return arrivals;
}
