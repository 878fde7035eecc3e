/** Measures the proxy's memory and descriptors once a second. */
import { descriptorsOf, residentMib } from "../support/process/figures.ts";

type Sample = { readonly mib: number; readonly descriptors: number };

export class ProcessWatch {
  readonly #samples: Sample[] = [];
  readonly #timer: Timer;

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      this.#samples.push({ mib: residentMib(pid), descriptors: descriptorsOf(pid) });
    }, 1_000);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The median of a part of the samples. `from` and `to` are shares of the whole time, 0 to 1. */
  median(what: keyof Sample, from: number, to: number): number {
    const { length } = this.#samples;
    const part = this.#samples.slice(Math.floor(from * length), Math.ceil(to * length));
    const values = part.map((sample) => sample[what]).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  }
}
