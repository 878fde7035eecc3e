/**
 * A request that may wait: takes a lease and is forwarded, or waits in the waiting room until that is possible. If it
 * waits in vain, its answer says why no server took it, and how long it waited.
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

/** A request whose body has been read as far as routing needs. */
export type Going<To extends Addressed = Addressed> = {
  readonly exchange: Exchange;
  readonly destination: To;
  readonly body: RequestBody;
  readonly read: Pick<ReadResult, "readOn">;
  /** What routing looks at. */
  readonly asking: Asking;
  /** True if another server may get the request after one may have worked on it. */
  readonly mayRepeat: boolean;
};

/** A request that names its model. */
export type Named = Extract<Addressed, { kind: "model" }>;

export type SendingInit = Models & { readonly forwarder: Forwarder; readonly kept: KeptBytes };

/** The most bytes that Bun keeps of a body that we stop reading (measured, 1.4.5). */
const UNREAD_BYTES = 1.5 * 1024 * 1024;

/** How long a request does not go again to a server that failed it, ms. It may go to another server meanwhile. */
const AGAIN_MS = 1_000;

/** A body that is a stream can be sent only once, so its prompt is not kept for another choice. */
export function askingAgain({ body, asking }: Pick<Going, "body" | "asking">): Asking {
  return body.kind === "stream" ? {} : asking;
}

const WAITS = { kind: "waits" } as const;

type Sending = Promise<Answer | Unsent>;

/** Waits as often as necessary, until the wait timeout. */
export class PatientRequest {
  readonly #going: Going<Named>;
  readonly #init: SendingInit;
  readonly #room: WaitingRoom;
  readonly #tries: Tries;
  readonly #arrival = nextNumber();
  #hasWaited = false;
  /** The sum of all its waits, ms. */
  #waitedMs = 0;
  /** Why no server took it at the last try. */
  #refused: Refused | undefined;
  /** The failure of its last server. */
  #unsent: Unsent | undefined;
  /** Until then it does not go to servers that failed it. */
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
      tried = this.#try(); // it must try first: changes since it took its lease do not wake it
    }
  }

  /** Waits behind the requests that wait already. */
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
    if (failed.size === 0) this.#unsent = undefined; // now it waits for another reason
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
   * The proxy does not read the body while the request waits, so it does not notice when the client leaves. It reads a
   * little more first, and sends nothing for a client that has left.
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

  /** Its server did not answer, and no work was lost: the request waits for another server, or for this one again. */
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

  /** Counts the bytes that Bun keeps of a body that we stop reading. @returns undefined if there is no room */
  #reserve(): (() => void) | undefined {
    const { body, exchange } = this.#going;
    if (body.kind !== "stream") return () => undefined; // we keep it, so it is counted already
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

  /** Gives the answer that it would get without waiting, with the time that it waited. */
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

  /** No server will come. */
  #gone(): Answer {
    const { model } = this.#going.destination;
    const found = this.#init.routes.find(model);
    if (!this.#hasWaited || found.kind !== "unknown") return this.#refuse();
    return this.#refuse(goneRefusal(model, found));
  }

  #refuse({ code, message }: Refusal = this.#refused?.refusal() ?? NOBODY): Answer {
    return ofOurs(refuse({ code, message: `${message}${this.#note}` }));
  }

  /** The end of the message: how long it waited. */
  get #note(): string {
    return this.#hasWaited ? waitedFor(this.#waitedMs) : "";
  }

  get #model(): string {
    return this.#going.exchange.model ?? this.#going.destination.model;
  }

  get #reason(): string {
    if (this.#unsent?.failed !== undefined) return "its server did not answer";
    return this.#refused?.reason ?? "other requests wait for it already";
  }

  /** A request that a server failed may not go to that server, so it has a lane of its own. */
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
