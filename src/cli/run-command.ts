/** The commands beside running the proxy: which of them does what. Running the proxy is compose.ts. */
import { type ListenAddress, originOf } from "../ground/listen-address.ts";
import { help, type SideCommand, type Variables, wrongArgument } from "./arguments.ts";
import { CANNOT, type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";
import { drain, undrain } from "./drain.ts";
import { healthcheck } from "./healthcheck.ts";
import { status } from "./status.ts";

/** What the commands need to know of the program. */
export type Program = {
  readonly version: string;
  readonly commit: string;
  readonly variables: Variables;
  /** Where the proxy listens on this machine, in this container; or which variables of it are wrong. */
  readonly listening:
    | {
        readonly kind: "address";
        readonly address: ListenAddress;
        /** Where its own socket may lie: see `controlSockets`. */
        readonly controlSockets: readonly string[];
      }
    | { readonly kind: "wrong"; readonly errors: readonly string[] };
  /** Shows a line at once. */
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
