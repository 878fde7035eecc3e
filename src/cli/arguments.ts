/** Arguments → what is asked for, and the usage. Pure. */
import { quoted } from "../ground/printable.ts";

export type Command =
  | { readonly kind: "serve" }
  | { readonly kind: "version" }
  | { readonly kind: "help" }
  | { readonly kind: "healthcheck" }
  | { readonly kind: "status"; readonly json: boolean }
  | { readonly kind: "wrong"; readonly argument: string };

/** What each spelling asks for. */
const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["", { kind: "serve" }],
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

/** @param variables what the environment can set, by name */
export function help(
  variables: Readonly<Record<string, { readonly default: string; readonly expected: string }>>,
): string {
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
  // The first that can't go on from those before it: what the user has to look at.
  const wrong = args.findIndex(
    (argument, index) =>
      !/^[\w-]+$/.test(argument) || !COMMANDS.has(args.slice(0, index + 1).join(" ")),
  );
  const command = wrong === -1 ? COMMANDS.get(args.join(" ")) : undefined;
  return command ?? { kind: "wrong", argument: args[wrong] ?? "" };
}

const ARGUMENT_LENGTH_MAX = 256;

/** What is said to an argument that there is not. */
export function wrongArgument(argument: string): string {
  return `lw-inference-proxy: there is no argument ${quoted(argument, ARGUMENT_LENGTH_MAX)} here\n\n${USAGE}`;
}
