/** The commands beside running the proxy: which of them does what. Running the proxy is compose.ts. */
import { type ListenAddress, originOf } from "../ground/listen-address.ts";
import { help, type SideCommand, type Variables, wrongArgument } from "./arguments.ts";
import { CANNOT, type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";
import { healthcheck } from "./healthcheck.ts";
import { status } from "./status.ts";

/** What the commands need to know of the program. */
export type Program = {
  readonly version: string;
  readonly commit: string;
  readonly variables: Variables;
  /** Where the proxy listens on this machine, in this container; or which variables of it are wrong. */
  readonly listening:
    | { readonly kind: "address"; readonly address: ListenAddress }
    | { readonly kind: "wrong"; readonly errors: readonly string[] };
};

export async function runCommand(command: SideCommand, program: Program): Promise<CommandResult> {
  const { version, commit, variables, listening } = program;
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
