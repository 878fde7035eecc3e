/**
 * The entry point: parses the command line, reads the configuration and prepares the process. No file imports
 * this one. It loads the rest of the program late, because the first process often replaces itself
 * (launch.ts) before it needs the rest.
 */
import { parseCommandLine, type SideCommand } from "./cli/arguments.ts";
import { type Config, loadConfig, loadListenAddress, VARIABLES } from "./config.ts";
import { controlSockets } from "./ground/control-socket.ts";
import { errorText } from "./ground/error-text.ts";
import { exitWith, fail } from "./process/exit.ts";
import { relaunchIfNeeded } from "./process/launch.ts";
import { readNetworkNamespace } from "./process/network-namespace.ts";
import { openStandardOutput } from "./process/standard-output.ts";
import { firstStopSignal } from "./process/stop-signals.ts";
import { COMMIT, VERSION } from "./process/version.ts";
import { createLog } from "./telemetry/log.ts";

/** Exit codes. */
const CANNOT_RUN = 1;
const WRONG_CONFIG = 2;

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind !== "run") return runSideCommand(command);
  const loaded = loadConfig(process.env);
  if (loaded.kind === "wrong") fail(loaded.errors, WRONG_CONFIG);
  const { config, warnings } = loaded;
  const stillRoot = launch(config);
  // Before anything else starts: process 1 ignores a signal that it does not handle.
  const stopSignal = firstStopSignal();
  const output = await openStandardOutput();
  const log = createLog({
    level: config.logLevel,
    format: output.isTerminal ? "text" : "json",
    write: output.write,
  });
  for (const warning of warnings) log.warn("configuration warning", { reason: warning });
  if (stillRoot !== undefined) log.warn("running as root", { reason: stillRoot });
  const { runProxy } = await import("./compose.ts");
  const end = await runProxy(config, log, stopSignal);
  await output.flush();
  if (end.kind === "cannot listen") fail([end.reason], CANNOT_RUN);
  process.exit(0);
}

async function runSideCommand(command: SideCommand): Promise<never> {
  const { runCommand } = await import("./cli/run-command.ts");
  const listening = loadListenAddress(process.env);
  const result = await runCommand(command, {
    version: VERSION,
    commit: COMMIT,
    variables: VARIABLES,
    listening:
      listening.kind === "wrong"
        ? listening
        : {
            ...listening,
            controlSockets: controlSockets({
              directory: listening.runtimeDirectory,
              port: listening.address.port,
              networkNamespace: await readNetworkNamespace(),
            }),
          },
    print: (line) => void process.stdout.write(`${line}\n`),
  });
  return exitWith(result);
}

/** @returns the reason why the process is still root although it should not be */
function launch({ user, engine }: Config): string | undefined {
  try {
    return relaunchIfNeeded({ user, socket: engine.kind === "unix" ? engine.path : undefined });
  } catch (error) {
    const advice = user === undefined ? "" : `; allow user ${user.uid} to run this binary`;
    return fail([`the proxy cannot restart itself: ${errorText(error)}${advice}`], CANNOT_RUN);
  }
}

await main();
