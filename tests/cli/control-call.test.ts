import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { explain } from "../../src/cli/control-call.ts";

const PATH = import.meta.path;
const { uid } = statSync(PATH);
const OWNER = `only its owner may use ${PATH}: run the command as user ${uid} (docker exec --user ${uid})`;

test.each<[code: string | undefined, path: string, said: string]>([
  ["ENOENT", PATH, `the socket ${PATH} does not exist`],
  ["ECONNREFUSED", PATH, `no process listens on ${PATH} any more`],
  ["EACCES", PATH, OWNER],
  ["EPERM", PATH, OWNER],
  ["EACCES", `${PATH}/none`, `only its owner may use ${PATH}/none`],
  ["ECONNRESET", PATH, "the reason"],
  [undefined, PATH, "the reason"],
])("explain() of %s at %s", (code, path, said) => {
  expect(explain({ kind: "none", reason: "the reason", code }, path)).toBe(said);
});
