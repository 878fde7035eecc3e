/**
 * Writes lines to standard output for as long as the proxy runs. It uses Bun's own writer: `process.stdout`
 * takes 10 ms at the start and 7 MiB for good (measured, 1.4.5). Texts at the end of the process are in exit.ts.
 */

export type StandardOutput = {
  readonly isTerminal: boolean;
  /**
   * Never throws and never waits. Keeps what a slow reader has not taken yet. Text that nobody can take is
   * lost.
   */
  readonly write: (text: string) => void;
  /** Resolves when the reader has taken everything, after `LAST_WORDS_MS` at the latest. */
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
      // The reader has closed it, or the disk is full: there is nobody to tell.
    }
  };
  return {
    isTerminal: await isTerminal(),
    write: (text) => void send(text),
    flush: () => Promise.race([send(""), Bun.sleep(LAST_WORDS_MS)]),
  };
}

/** Takes every character device for a terminal. The other one, /dev/null, shows nothing anyway. */
async function isTerminal(): Promise<boolean> {
  try {
    return (await Bun.stdout.stat()).isCharacterDevice();
  } catch {
    return false; // closed
  }
}
