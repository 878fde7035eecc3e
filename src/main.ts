/**
 * The process: what is asked for, the configuration, what must hold before anything starts, signals, exit
 * code. Imported by nobody. The rest is loaded when it is needed: of the process that replaces itself
 * (launch.ts), nothing of it ever is.
 */
import { type Command, parseCommandLine } from "./cli/arguments.ts";
import { type Config, loadConfig, loadPlace } from "./config.ts";
import { errorText } from "./ground/error-text.ts";
import { printable } from "./ground/printable.ts";
import { relaunchIfNeeded } from "./process/launch.ts";
import { openStandardOutput } from "./process/standard-output.ts";
import { createLog } from "./telemetry/log.ts";

const EXIT_CONFIG = 2;

function fail(lines: readonly string[], code: number): never {
  process.stderr.write(lines.map((line) => `lw-inference-proxy: ${printable(line)}\n`).join(""));
  process.exit(code);
}

async function main(): Promise<void> {
  const command = parseCommandLine(process.argv.slice(2));
  if (command.kind !== "serve") return run(command);
  const loaded = loadConfig(process.env);
  if (loaded.kind === "wrong") fail(loaded.errors, EXIT_CONFIG);
  const { config } = loaded;
  const stillRoot = launch(config);
  const terminated = firstSignal(); // before anything starts: as PID 1 a signal without a handler is lost
  const output = await openStandardOutput();
  const log = createLog({
    level: config.logLevel,
    format: output.isTerminal ? "text" : "json",
    write: output.write,
  });
  for (const warning of loaded.warnings) log.warn(warning);
  if (stillRoot !== undefined) log.warn("stays root", { reason: stillRoot });
  const { serve } = await import("./compose.ts");
  const outcome = await serve(config, log, terminated);
  await output.flush();
  if (outcome.kind === "cannot listen") fail([outcome.why], 1);
  process.exit(0);
}

async function run(command: Exclude<Command, { kind: "serve" }>): Promise<never> {
  const { runCommand } = await import("./cli/commands.ts");
  const outcome = await runCommand(command, loadPlace(process.env));
  if (outcome.stdout) await write(process.stdout, outcome.stdout);
  if (outcome.stderr) await write(process.stderr, outcome.stderr);
  process.exit(outcome.code);
}

/** Resolves when it is out. Not by Bun.write: that empties a file that the stream was sent to. */
function write(stream: NodeJS.WriteStream, text: string): Promise<unknown> {
  return new Promise((resolve) => stream.write(text, resolve));
}

/** @returns why it is still root, if it should not be */
function launch({ user, engine }: Config): string | undefined {
  try {
    return relaunchIfNeeded({ user, socket: engine.kind === "unix" ? engine.path : undefined });
  } catch (error) {
    const why = errorText(error);
    const whom = user === undefined ? "" : `; may user ${user.uid} run this binary?`;
    return fail([`cannot start again: ${why}${whom}`], 1);
  }
}

/** The first signal is to stop gracefully; a second one ends the process at once. */
function firstSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      resolve(signal);
    });
  }
  return promise;
}

await main();
