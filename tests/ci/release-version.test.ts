/** How the publishing scripts handle versions. They are bash, because no package may run there. */
import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildVersion } from "../../.ci/build-version.ts";
import { makeShallow, type ReleaseClone, releaseClone } from "../support/release/clone.ts";

const ROOT = join(import.meta.dir, "../..");

/** Runs a line of shell that has sourced .ci/release-version.sh. */
async function shell(
  line: string,
  args: readonly string[],
  options: { input?: string; cwd?: string; env?: Readonly<Record<string, string>> } = {},
): Promise<{ readonly code: number; readonly lines: readonly string[]; readonly errors: string }> {
  const script = `set -euo pipefail; . '${ROOT}/.ci/release-version.sh'; ${line}`;
  const child = Bun.spawn(["bash", "-c", script, "bash", ...args], {
    cwd: options.cwd ?? ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...options.env },
    stdin: new Blob([options.input ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, lines: output.split("\n").filter((l) => l !== ""), errors };
}

describe("image_tags", () => {
  test.each<[version: string, released: readonly string[], expected: readonly string[]]>([
    ["1.2.3", [], ["1.2.3", "1.2", "latest"]],
    ["1.2.3", ["1.2.3"], ["1.2.3", "1.2", "latest"]],
    ["1.2.4", ["1.2.3", "1.2.4"], ["1.2.4", "1.2", "latest"]],
    // A patch of an old line moves only the tag of that line.
    ["1.2.4", ["1.2.3", "1.2.4", "1.3.0"], ["1.2.4", "1.2"]],
    ["1.2.4", ["1.2.4", "2.0.0"], ["1.2.4", "1.2"]],
    // An old patch that is published again, or after a higher one, moves no tag.
    ["1.2.3", ["1.2.3", "1.2.4"], ["1.2.3"]],
    ["1.2.3", ["1.2.4", "2.0.0"], ["1.2.3"]],
    // Versions compare as numbers, not as text.
    ["1.10.0", ["1.9.0", "1.2.0"], ["1.10.0", "1.10", "latest"]],
    ["1.9.0", ["1.10.0"], ["1.9.0", "1.9"]],
    ["1.2.10", ["1.2.9"], ["1.2.10", "1.2", "latest"]],
    ["1.2.9", ["1.2.10"], ["1.2.9"]],
    ["9.0.0", ["10.0.0"], ["9.0.0", "9.0"]],
    [
      "1.0.20261127000000000000001",
      ["1.0.20261127000000000000002"],
      ["1.0.20261127000000000000001"],
    ],
    // 1.20 and 11.2 are other lines than 1.2.
    ["1.2.0", ["1.20.5", "0.1.2"], ["1.2.0", "1.2"]],
    ["1.2.0", ["11.2.5"], ["1.2.0", "1.2"]],
    // A version with a suffix is not for everybody. It never counts as the highest, and moves no tag.
    ["2.0.0-rc.1", ["1.0.0"], ["2.0.0-rc.1"]],
    ["1.2.3", ["1.2.4-rc.1", "2.0.0-rc.1", "1.2.3-rc.2"], ["1.2.3", "1.2", "latest"]],
    ["1.2.3", ["next", "2", "3.0", "4.0.0.1", "5.0.0+b", ""], ["1.2.3", "1.2", "latest"]],
  ])("%s, with %j released: %j", async (version, released, expected) => {
    const input = released.map((other) => `${other}\n`).join("");
    const { code, lines } = await shell('image_tags "$1"', [version], { input });
    expect([code, lines]).toEqual([0, expected]);
  });
});

describe("release_version", () => {
  const GOOD = ["v1.2.3", "1.2.3", "v10.20.30-rc.1", "v1.0.0-a-b.7"];
  const BAD = [
    ...["main", "1.2", "v1.2.3+build", "1.2.3-", "1.2.3-a..b", "vv1.2.3", "01.2.3", "1.2.03"],
    ...['1.2.3"; x', "1.2.3\n", "1.2.3 1.2.4", "$(id)"],
  ];

  test.each([...GOOD, ...BAD])(".ci/build-version.ts reads %j in the same way", async (text) => {
    const built = await buildVersion(ROOT, { VERSION: text }).catch(() => undefined);
    const { code, lines, errors } = await shell("release_version", [], { env: { VERSION: text } });
    expect(lines).toEqual(built === undefined ? [] : [built]);
    expect(code).toBe(built === undefined ? 1 : 0);
    if (built === undefined) expect(errors).toContain("expected one like v1.2.3");
    expect(built !== undefined).toBe(GOOD.includes(text));
  });
});

describe("released_versions", () => {
  const ask = (clone: ReleaseClone): ReturnType<typeof shell> =>
    shell('released_versions "$1"', ["1.2.3"], { cwd: clone.path });

  test("returns the tags of git", async () => {
    using clone = await releaseClone(["v1.2.3", "v1.3.0", "v1.3.0-rc.1", "other"]);
    expect((await ask(clone)).lines).toEqual(["1.2.3", "1.3.0", "1.3.0-rc.1"]);
  });

  test.each<[what: string, tags: readonly string[]]>([
    ["no tag", []],
    ["only others", ["v1.2.30", "v11.2.3", "1.2.3"]],
  ])("%s: fails and says that it cannot tell", async (_, tags) => {
    using clone = await releaseClone(tags);
    const { code, lines, errors } = await ask(clone);
    expect([code, lines]).toEqual([1, []]);
    expect(errors).toContain("git has no tag v1.2.3");
  });

  test("fails in a shallow clone, which has its own tag but lacks others", async () => {
    using clone = await releaseClone(["v1.2.3"]);
    await makeShallow(clone);
    const { code, lines, errors } = await ask(clone);
    expect([code, lines]).toEqual([1, []]);
    expect(errors).toContain("the clone is shallow");
  });

  test("fails outside a clone", async () => {
    using clone = await releaseClone([]);
    rmSync(join(clone.path, ".git"), { recursive: true });
    expect((await ask(clone)).code).toBe(1);
  });
});
