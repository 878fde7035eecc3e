/** deploy/stack.yaml as it stands, and with the socket proxy, as its own head says to make it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const STACK_PATH = join(import.meta.dir, "../../deploy/stack.yaml");
export const STACK_TEXT = readFileSync(STACK_PATH, "utf8");

/** The command of its head: what it makes of the file is the variant. */
const SED = /^# {3}(sed -e .*) deploy\/stack\.yaml \| docker stack deploy -c - \w+$/m;

/** @throws if its head has no such command, or sed does not take it */
export function withSocketProxy(): string {
  const [, command = "false"] = SED.exec(STACK_TEXT) ?? [];
  const { exitCode, stdout } = Bun.spawnSync(["sh", "-c", `${command} ${STACK_PATH}`]);
  if (exitCode !== 0) throw new Error("Cannot make the variant: stack.yaml has no command for it");
  return stdout.toString();
}
