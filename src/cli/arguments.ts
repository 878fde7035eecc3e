/** Parses the program's arguments into a command. Holds the usage and the help. Runs no command. Pure. */
import { parseDuration } from "../ground/duration.ts";
import { nearestWord } from "../ground/edit-distance.ts";
import { quoted } from "../ground/printable.ts";

export type Command = { readonly kind: "run" } | SideCommand;

/** Every command except running the proxy. */
export type SideCommand =
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "healthcheck" }
  | { readonly kind: "status"; readonly json: boolean }
  | ({ readonly kind: "drain" } & DrainCommand)
  | { readonly kind: "undrain"; readonly container: string }
  | { readonly kind: "wrong"; readonly argument: string }
  /** An argument is missing or has a wrong value. */
  | { readonly kind: "unusable"; readonly reason: string };

export type DrainCommand = {
  /** Name or id. */
  readonly container: string;
  /** How long to wait, ms; 0: do not wait. */
  readonly timeoutMs: number;
};

/** Command line → command. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["", { kind: "run" }],
  ["--version", { kind: "version" }],
  ["-v", { kind: "version" }],
  ["version", { kind: "version" }],
  ["--help", { kind: "help" }],
  ["-h", { kind: "help" }],
  ["help", { kind: "help" }],
  ["healthcheck", { kind: "healthcheck" }],
  ["status", { kind: "status", json: false }],
  ["status --json", { kind: "status", json: true }],
]);

/** @param where where the variables are listed */
const usage = (where: string): string => `Usage: lw-inference-proxy [command]

  (no command)     run the proxy
  status [--json]  show the containers that the local proxy routes to, and why it does not route to
                   the others; exit code 0: it routes to all; 1: it does not; 2: no proxy answers
  drain NAME [--timeout 65s]
                   tell the local proxy to send no new requests to a container (its name or id);
                   then wait until its requests have ended (--timeout 0: do not wait);
                   exit code 0: they have ended; 1: the time is up and the container stays drained,
                   or it was undrained meanwhile; 2: no such container runs, or no proxy answers
  undrain NAME     tell the local proxy to send new requests to the container again
  healthcheck      exit code 0 if the local proxy answers, otherwise 1
  --version        show the version, the commit and the version of Bun
  --help           show this text

The local proxy is the one on this machine, or in this container. Environment variables are its
only configuration (${where}). To find it, status and healthcheck read PROXY_PORT and PROXY_HOST;
drain and undrain read PROXY_PORT and RUNTIME_DIRECTORY.
`;

/** The text for a wrong argument. */
export const USAGE = usage("see --help");

/** The environment variables by name. */
export type Variables = Readonly<Record<string, HelpedVariable>>;

type HelpedVariable = {
  /** What it sets. */
  readonly meaning: string;
  /** The accepted values, in words. */
  readonly expected: string;
  /** Empty if there is no default. */
  readonly default: string;
};

/** OpenTelemetry has too many variables to list. */
const TELEMETRY = "OpenTelemetry's variables (OTEL_…): see docs/telemetry.md\n";

export function help(variables: Variables): string {
  const entries = Object.entries(variables).map(
    ([name, variable]) =>
      `  ${name}\n      ${variable.meaning}\n      ${variable.expected}; default: ${variable.default || "none"}\n`,
  );
  return `${usage("listed below")}\nEnvironment variables:\n\n${entries.join("")}\n${TELEMETRY}`;
}

/** @param args without the program and its script */
export function parseCommandLine(args: readonly string[]): Command {
  const [first = "", ...rest] = args;
  if (first === "drain" || first === "undrain") return parseDrain(first, rest);
  // The first argument that no command has in this place. The error shows it.
  const wrong = args.findIndex(
    (argument, index) =>
      !/^[\w-]+$/.test(argument) || !COMMANDS.has(args.slice(0, index + 1).join(" ")),
  );
  const command = wrong === -1 ? COMMANDS.get(args.join(" ")) : undefined;
  return command ?? { kind: "wrong", argument: args[wrong] ?? "" };
}

/**
 * A little longer than the default of PROXY_DRAIN_TIMEOUT, after which the proxy closes the open WebSockets.
 */
const DRAIN_TIMEOUT = "65s";
/** Its value is the next argument, or follows a `=`. */
const TIMEOUT = "--timeout";

function parseDrain(kind: "drain" | "undrain", args: readonly string[]): SideCommand {
  if (args.includes("--help") || args.includes("-h")) return { kind: "help" };
  const { timeout, rest } =
    kind === "drain" ? takeTimeout(args) : { timeout: DRAIN_TIMEOUT, rest: args };
  const wrong = rest.find((argument, index) => argument.startsWith("-") || index > 0);
  if (wrong !== undefined) return { kind: "wrong", argument: wrong };
  const [container = ""] = rest;
  if (container === "") return unusable(`${kind} needs the name or the id of a container`);
  if (kind === "undrain") return { kind, container };
  if (timeout === "") return unusable(`${TIMEOUT} needs a duration like 500ms, 60s, 5m or 0`);
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs !== undefined) return { kind, container, timeoutMs };
  const shown = quoted(timeout, ARGUMENT_LENGTH_MAX);
  return unusable(`${TIMEOUT} is ${shown}: expected a duration like 500ms, 60s, 5m or 0`);
}

/** The value of the first `--timeout`, and the arguments without it. */
function takeTimeout(args: readonly string[]): {
  readonly timeout: string;
  readonly rest: readonly string[];
} {
  const at = args.findIndex((one) => one === TIMEOUT || one.startsWith(`${TIMEOUT}=`));
  const found = args[at];
  if (found === undefined) return { timeout: DRAIN_TIMEOUT, rest: args };
  return found === TIMEOUT
    ? { timeout: args[at + 1] ?? "", rest: args.toSpliced(at, 2) }
    : { timeout: found.slice(TIMEOUT.length + 1), rest: args.toSpliced(at, 1) };
}

function unusable(reason: string): SideCommand {
  return { kind: "unusable", reason };
}

const ARGUMENT_LENGTH_MAX = 256;

/** Every command and option. */
const WORDS = [...COMMANDS.keys(), "drain", "undrain", TIMEOUT]
  .flatMap((line) => line.split(" "))
  .filter((word) => word !== "");

/** The text to print for a wrong argument. */
export function wrongArgument(argument: string): string {
  const meant = nearestWord(argument, WORDS);
  // A known word may be in the wrong place.
  const advice = meant === undefined || meant === argument ? "" : `; did you mean ${meant}?`;
  return `lw-inference-proxy: unexpected argument ${quoted(argument, ARGUMENT_LENGTH_MAX)}${advice}\n\n${USAGE}`;
}
