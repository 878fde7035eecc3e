/** Signals, by number and by name. Pure. */

const SIGTERM = 15;
const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * Reads `SIGINT`, `INT`, `2` or `SIGRTMIN+3`. An empty or unknown text means SIGTERM, Docker's
 * default.
 */
export function signalNumber(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime !== null) {
    const [, end, sign, offset = "0"] = realTime;
    return (end === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(`${sign ?? ""}${offset}`);
  }
  // Nearly all containers use SIGTERM. For them we do not have to load `node:os`.
  if (name === "" || name === "TERM") return SIGTERM;
  return signals()[`SIG${name}`] ?? SIGTERM;
}

/** @returns undefined if no signal has this number, or if it is a real-time signal */
export function signalName(number: number): string | undefined {
  return Object.entries(signals()).find(([, known]) => known === number)?.[0];
}

/** Without the real-time signals. */
function signals(): Readonly<Record<string, number>> {
  return process.getBuiltinModule("node:os").constants.signals;
}
