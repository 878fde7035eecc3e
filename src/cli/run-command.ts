/** Runs every command except the proxy itself, which is in compose.ts. */
import { type ListenAddress, originOf } from "../ground/listen-address.ts";
import { help, type SideCommand, type Variables, wrongArgument } from "./arguments.ts";
import { CANNOT, type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";
import { drain, undrain } from "./drain.ts";
import { healthcheck } from "./healthcheck.ts";
import { status } from "./status.ts";

/** What the commands need to know about the program. */
export type Program = {
  readonly version: string;
  readonly commit: string;
  readonly variables: Variables;
  /** Where the local proxy listens, or the errors of the variables that say so. */
  readonly listening:
    | {
        readonly kind: "address";
        readonly address: ListenAddress;
        /** The possible paths of its control socket: see `controlSockets`. */
        readonly controlSockets: readonly string[];
      }
    | { readonly kind: "wrong"; readonly errors: readonly string[] };
  /** Prints a line at once. */
  readonly print: (line: string) => void;
};

export async function runCommand(command: SideCommand, program: Program): Promise<CommandResult> {
  const { version, commit, variables, listening, print } = program;
  switch (command.kind) {
    case "version":
      return {
        code: OK,
        stdout: `lw-inference-proxy ${version} (commit ${commit}, Bun ${Bun.version})\n`,
      };
    case "help":
      return { code: OK, stdout: help(variables) };
    case "wrong":
      return { code: CANNOT, stderr: wrongArgument(command.argument) };
    case "unusable":
      return failed(CANNOT, command.reason);
    case "drain":
      return listening.kind === "wrong"
        ? failed(CANNOT, ...listening.errors)
        : drain(command, listening.controlSockets, print);
    case "undrain":
      return listening.kind === "wrong"
        ? failed(CANNOT, ...listening.errors)
        : undrain(command.container, listening.controlSockets);
    case "healthcheck":
      return listening.kind === "wrong"
        ? failed(NOT_WELL, ...listening.errors)
        : healthcheck(originOf(listening.address));
    case "status":
      return listening.kind === "wrong"
        ? failed(CANNOT, ...listening.errors)
        : status(originOf(listening.address), command.json);
  }
}
