/** The program's arguments → what is asked for; the usage and the help. Runs no command. Pure. */
import { quoted } from "../ground/printable.ts";

export type Command = { readonly kind: "run" } | SideCommand;

/** All but running the proxy. */
export type SideCommand =
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "healthcheck" }
  | { readonly kind: "status"; readonly json: boolean }
  | { readonly kind: "wrong"; readonly argument: string };

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
  healthcheck      exit code 0 if the proxy that runs here answers, else 1
  --version        version, commit, and version of Bun
  --help           this text

It is configured by its environment alone; status and healthcheck find the proxy by PROXY_PORT
and PROXY_HOST.
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
  // The first argument that no command has at this place: the user has to look at this one.
  const wrong = args.findIndex(
    (argument, index) =>
      !/^[\w-]+$/.test(argument) || !COMMANDS.has(args.slice(0, index + 1).join(" ")),
  );
  const command = wrong === -1 ? COMMANDS.get(args.join(" ")) : undefined;
  return command ?? { kind: "wrong", argument: args[wrong] ?? "" };
}

const ARGUMENT_LENGTH_MAX = 256;

/** What to print when there is no such argument. */
export function wrongArgument(argument: string): string {
  return `lw-inference-proxy: there is no argument ${quoted(argument, ARGUMENT_LENGTH_MAX)} here\n\n${USAGE}`;
}
