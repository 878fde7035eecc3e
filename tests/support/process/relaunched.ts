/** Prepares its launch environment as the proxy does, then prints the result. */
import { relaunchIfNeeded } from "../../../src/process/launch.ts";

relaunchIfNeeded({ user: undefined, socket: undefined });
console.log(
  JSON.stringify({
    pid: process.pid,
    args: process.argv.slice(2),
    execArgv: process.execArgv,
    cap: process.env["BUN_CONFIG_MAX_HTTP_REQUESTS"],
    kept: process.env["KEPT"],
    input: await Bun.stdin.text(),
  }),
);
