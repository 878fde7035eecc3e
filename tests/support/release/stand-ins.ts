/** Stand-ins for docker, skopeo, cosign and gh: programs on PATH that record their calls. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type StandIns = {
  readonly env: Readonly<Record<string, string>>;
  /** The calls, in order. */
  readonly calls: () => readonly string[];
};

/**
 * @param programs name → shell code, which runs after the call is recorded
 * @param directory gets the programs
 */
export function standIns(directory: string, programs: Readonly<Record<string, string>>): StandIns {
  const log = join(directory, "calls.log");
  for (const [name, code] of Object.entries(programs)) {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> '${log}'\n${code}\n`);
    chmodSync(file, 0o755);
  }
  return {
    env: { PATH: `${directory}:${process.env["PATH"]}` },
    calls: () => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []),
  };
}
