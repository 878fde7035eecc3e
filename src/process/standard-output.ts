/**
 * Writes lines to standard output while the proxy runs. It uses Bun's own writer: `process.stdout` takes 10
 * ms at the start and 7 MiB for good (measured, 1.4.5). exit.ts writes the texts at the end of the process.
 */

export type StandardOutput = {
  readonly isTerminal: boolean;
  /**
   * Never throws and never waits. Keeps text for a slow reader. Text is lost if the reader is gone.
   */
  readonly write: (text: string) => void;
  /** Resolves when the reader has read everything, after `LAST_WORDS_MS` at the latest. */
  readonly flush: () => Promise<void>;
};

/** How long `flush()` waits for a reader that has stopped reading, ms. */
const LAST_WORDS_MS = 1_000;

export async function openStandardOutput(): Promise<StandardOutput> {
  const sink = Bun.stdout.writer();
  const send = async (text: string): Promise<void> => {
    try {
      sink.write(text);
      await sink.flush();
    } catch {
      // The reader has closed the stream, or the disk is full. There is no place to report this.
    }
  };
  return {
    isTerminal: await isTerminal(),
    write: (text) => void send(text),
    flush: () => Promise.race([send(""), Bun.sleep(LAST_WORDS_MS)]),
  };
}

/** Treats every character device as a terminal. The only other usual one, /dev/null, shows nothing anyway. */
async function isTerminal(): Promise<boolean> {
  try {
    return (await Bun.stdout.stat()).isCharacterDevice();
  } catch {
    return false; // closed
  }
}
