/** Ends the process with a last text. standard-output.ts writes the lines before that. */
import { reasonLines } from "../ground/reason-lines.ts";

/** Ends the process with one line on standard error for each reason. */
export function fail(reasons: readonly string[], code: number): never {
  process.stderr.write(reasonLines(reasons));
  process.exit(code);
}

/** The result of a command: a text for each stream, and an exit code. */
export type LastWords = {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
};

/** Writes all of both texts, then ends the process. */
export async function exitWith({ code, stdout, stderr }: LastWords): Promise<never> {
  if (stdout) await write(process.stdout, stdout);
  if (stderr) await write(process.stderr, stderr);
  process.exit(code);
}

/** Resolves when the text is written. Bun.write would truncate a file that the stream is redirected to. */
function write(stream: NodeJS.WriteStream, text: string): Promise<unknown> {
  return new Promise((resolve) => stream.write(text, resolve));
}
