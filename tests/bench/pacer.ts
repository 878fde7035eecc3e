/**
 * Sends an event to each stream every 20 ms, each stream at its own phase. It uses a wheel with one slot a
 * millisecond, so that it makes the event and its time only once for all streams of a slot.
 */
import type { Socket } from "bun";
import { event, LAST_CHUNK, PACED_MS } from "./answers.ts";

type Stream = { readonly socket: Socket<unknown>; left: number };

export class Pacer {
  readonly #slots: Stream[][] = Array.from({ length: PACED_MS }, () => []);
  #nextSlot = 0;
  #open = 0;
  #timer: Timer | undefined;
  /** Slots turned since the timer began at `#beganMs`. */
  #turned = 0;
  #beganMs = 0;

  /** @param events the number of events of the stream; it may be Infinity */
  add(socket: Socket<unknown>, events: number): void {
    this.#slots[this.#nextSlot % PACED_MS]?.push({ socket, left: events });
    this.#nextSlot += 1;
    this.#open += 1;
    if (this.#timer !== undefined) return;
    this.#beganMs = performance.now();
    this.#turned = 0;
    this.#timer = setInterval(() => this.#turn(), 1);
  }

  remove(socket: Socket<unknown>): void {
    if (this.#open === 0) return;
    for (const [index, slot] of this.#slots.entries()) {
      this.#slots[index] = slot.filter((stream) => stream.socket !== socket);
    }
    this.#count();
  }

  /** Turns the wheel as far as the time has passed, so that a late timer loses no event. */
  #turn(): void {
    const due = Math.floor(performance.now() - this.#beganMs);
    for (; this.#turned < due; this.#turned += 1) {
      const index = this.#turned % PACED_MS;
      const slot = this.#slots[index] ?? [];
      const now = event(performance.timeOrigin + performance.now());
      for (const stream of slot) {
        stream.left -= 1;
        stream.socket.write(stream.left === 0 ? now + LAST_CHUNK : now);
      }
      this.#slots[index] = slot.filter(({ left }) => left > 0);
    }
    this.#count();
  }

  #count(): void {
    this.#open = this.#slots.reduce((sum, slot) => sum + slot.length, 0);
    if (this.#open > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
