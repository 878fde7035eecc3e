import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { explain } from "../../src/cli/control-call.ts";

const PATH = import.meta.path;
const { uid } = statSync(PATH);
const OWNER = `${PATH} is for its owner alone: ask as user ${uid} (docker exec --user ${uid})`;

test.each<[code: string | undefined, path: string, said: string]>([
  ["ENOENT", PATH, `there is no socket ${PATH}`],
  ["ECONNREFUSED", PATH, `nobody listens at ${PATH} any more`],
  ["EACCES", PATH, OWNER],
  ["EPERM", PATH, OWNER],
  ["EACCES", `${PATH}/none`, `${PATH}/none is for its owner alone`],
  ["ECONNRESET", PATH, "the reason"],
  [undefined, PATH, "the reason"],
])("explain() of %s at %s", (code, path, said) => {
  expect(explain({ kind: "none", reason: "the reason", code }, path)).toBe(said);
});
