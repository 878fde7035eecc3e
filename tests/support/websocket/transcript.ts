/**
 * What one end of a WebSocket has seen, one line each. The cases write their expectations in this form. Peers
 * under Bun and under Node use this file, so it imports nothing that only one of them has.
 */
import { createHash } from "node:crypto";

/** A longer message is shown by its length and the beginning of its hash. */
const SHOWN_BYTES = 200;

/** `text "hello"`, `binary 0x00ff`, `text of 70000 B, 5f36b2ea`. */
export function messageLine(kind: string, bytes: Buffer): string {
  if (bytes.length > SHOWN_BYTES) {
    const hash = createHash("sha1").update(bytes).digest("hex");
    return `${kind} of ${bytes.length} B, ${hash.slice(0, 8)}`;
  }
  return kind.startsWith("binary")
    ? `${kind} 0x${bytes.toString("hex")}`
    : `${kind} ${JSON.stringify(bytes.toString())}`;
}

/** @param code 1005: a Close frame without a code; 1006: no Close frame */
export function closeLine(code: number, reason: Uint8Array): string {
  if (reason.length === 0) return `close ${code}`;
  return `close ${code} ${JSON.stringify(Buffer.from(reason).toString())}`;
}

export class Transcript {
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  add(line: string): void {
    this.#lines.push(line);
    this.#wake();
  }

  /** No more lines will come: every open wait for lines ends. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Resolves at this many lines, or at the end of the transcript. @returns whether there are so many lines */
  reaches(count: number): Promise<boolean> {
    return this.#until(() => this.#lines.length >= count);
  }

  /**
   * Resolves at a Close frame, or at the end of the transcript.
   *
   * @returns whether the Close frame has arrived
   */
  closes(): Promise<boolean> {
    return this.#until(() => this.#lines.some((line) => line.startsWith("close ")));
  }

  /** Resolves at the end of the transcript. */
  async ended(): Promise<void> {
    await this.reaches(Number.POSITIVE_INFINITY);
  }

  async #until(holds: () => boolean): Promise<boolean> {
    while (!holds() && !this.#isOver) {
      // Node 20 has no Promise.withResolvers().
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return holds();
  }

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }
}
