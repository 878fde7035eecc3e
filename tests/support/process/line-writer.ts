/** `bun line-writer.ts N`: writes N lines of 1,000 bytes to standard output, then the time in ms to stderr. */
import { openStandardOutput } from "../../../src/process/standard-output.ts";

const { write, flush, isTerminal } = await openStandardOutput();
const startMs = performance.now();
for (let n = 0; n < Number(process.argv[2]); n += 1) write(`${String(n).padStart(999, " ")}\n`);
const writtenMs = performance.now() - startMs;
process.stderr.write(`${JSON.stringify({ isTerminal, writtenMs })}\n`);
await flush();
process.exit(0);
