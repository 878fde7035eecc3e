/** The program's arguments → what is asked for; the usage and the help. Runs no command. Pure. */
import { parseDuration } from "../ground/duration.ts";
import { quoted } from "../ground/printable.ts";

export type Command = { readonly kind: "run" } | SideCommand;

/** All but running the proxy. */
export type SideCommand =
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "healthcheck" }
  | { readonly kind: "status"; readonly json: boolean }
  | ({ readonly kind: "drain" } & DrainCommand)
  | { readonly kind: "undrain"; readonly container: string }
  | { readonly kind: "wrong"; readonly argument: string }
  /** It lacks something, or has a wrong value. */
  | { readonly kind: "unusable"; readonly reason: string };

export type DrainCommand = {
  /** Its name or id. */
  readonly container: string;
  /** How long to wait, ms; 0: not at all. */
  readonly timeoutMs: number;
};

/** What people can write → the command. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["", { kind: "run" }],
  ["--version", { kind: "version" }],
  ["-v", { kind: "version" }],
  ["--help", { kind: "help" }],
  ["-h", { kind: "help" }],
  ["healthcheck", { kind: "healthcheck" }],
  ["status", { kind: "status", json: false }],
  ["status --json", { kind: "status", json: true }],
]);

export const USAGE = `Usage: lw-inference-proxy [command]

  (no command)     run the proxy
  status [--json]  what the proxy that runs here routes to, and why the rest is not routed;
                   exit code 0: everything is routed, 1: something is not, 2: no proxy answers
  drain NAME [--timeout 65s]
                   has the proxy that runs here send no new requests to a container (its name or
                   id), and waits until it has none left (--timeout 0 does not wait); exit code 0:
                   none is left, 1: the time is up (it stays taken out), or somebody took it back
                   meanwhile, 2: no such container runs, or no proxy answers
  undrain NAME     has it routed again
  healthcheck      exit code 0 if the proxy that runs here answers, else 1
  --version        version, commit, and version of Bun
  --help           this text

It is configured by its environment alone; status and healthcheck find the proxy by PROXY_PORT
and PROXY_HOST, drain and undrain by PROXY_PORT and RUNTIME_DIRECTORY.
`;

/** What the environment can set, by name; a default is empty where there is none. */
export type Variables = Readonly<
  Record<string, { readonly default: string; readonly expected: string }>
>;

export function help(variables: Variables): string {
  const entries = Object.entries(variables);
  const width = Math.max(...entries.map(([name]) => name.length));
  const lines = entries.map(
    ([name, variable]) =>
      `  ${name.padEnd(width)}  ${variable.expected}; default ${variable.default || "none"}\n`,
  );
  return `${USAGE}\n${lines.join("")}`;
}

/** @param args without the program and its script */
export function parseCommandLine(args: readonly string[]): Command {
  const [first = "", ...rest] = args;
  if (first === "drain" || first === "undrain") return parseDrain(first, rest);
  // The first argument that no command has at this place: the user has to look at this one.
  const wrong = args.findIndex(
    (argument, index) =>
      !/^[\w-]+$/.test(argument) || !COMMANDS.has(args.slice(0, index + 1).join(" ")),
  );
  const command = wrong === -1 ? COMMANDS.get(args.join(" ")) : undefined;
  return command ?? { kind: "wrong", argument: args[wrong] ?? "" };
}

/** A little more than the default of PROXY_DRAIN_TIMEOUT, after which the proxy ends the WebSockets that are left. */
const DRAIN_TIMEOUT = "65s";
/** With a value behind it, or behind `=`. */
const TIMEOUT = "--timeout";

function parseDrain(kind: "drain" | "undrain", args: readonly string[]): SideCommand {
  if (args.includes("--help") || args.includes("-h")) return { kind: "help" };
  const { timeout, rest } =
    kind === "drain" ? takeTimeout(args) : { timeout: DRAIN_TIMEOUT, rest: args };
  const wrong = rest.find((argument, index) => argument.startsWith("-") || index > 0);
  if (wrong !== undefined) return { kind: "wrong", argument: wrong };
  const [container = ""] = rest;
  if (container === "") return unusable(`${kind} takes the name or the id of a container`);
  if (kind === "undrain") return { kind, container };
  if (timeout === "") return unusable(`${TIMEOUT} takes a duration like 500ms, 60s, 5m or 0`);
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

/** What to print when there is no such argument. */
export function wrongArgument(argument: string): string {
  return `lw-inference-proxy: there is no argument ${quoted(argument, ARGUMENT_LENGTH_MAX)} here\n\n${USAGE}`;
}
