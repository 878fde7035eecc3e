/** deploy/stack.yaml, and the variant with the socket proxy, made as the head of the file says. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const STACK_PATH = join(import.meta.dir, "../../deploy/stack.yaml");
export const STACK_TEXT = readFileSync(STACK_PATH, "utf8");

/** The command in the head of the file, whose output is the variant. */
const SED = /^# {3}(sed -e .*) deploy\/stack\.yaml \| docker stack deploy -c - \w+$/m;

/** @throws if the head has no such command, or sed refuses it */
export function withSocketProxy(): string {
  const [, command = "false"] = SED.exec(STACK_TEXT) ?? [];
  const { exitCode, stdout } = Bun.spawnSync(["sh", "-c", `${command} ${STACK_PATH}`]);
  if (exitCode !== 0)
    throw new Error(
      "Cannot make the variant: the head of stack.yaml has no working sed command for it",
    );
  return stdout.toString();
}
