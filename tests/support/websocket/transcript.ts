/**
 * What one end of a WebSocket has seen, a line each: the language in which the cases say what they expect. The peers under
 * Bun and under Node write it, so this imports nothing of either.
 */
import { createHash } from "node:crypto";

/** Longer messages are told by their length and the beginning of their hash. */
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

  /** Nothing more will come: whoever still waits for lines waits in vain. */
  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Resolves when there are so many lines, or no more will come. @returns whether there are so many */
  reaches(count: number): Promise<boolean> {
    return this.#until(() => this.#lines.length >= count);
  }

  /** Resolves when a Close frame has come, or nothing more will come. @returns whether it has come */
  closes(): Promise<boolean> {
    return this.#until(() => this.#lines.some((line) => line.startsWith("close ")));
  }

  /** Resolves when nothing more will come. */
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
