import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildCommit, buildVersion } from "../../.ci/build-version.ts";
import { version } from "../../package.json" with { type: "json" };
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "../..");

describe("buildVersion()", () => {
  test.each([
    [{}, version],
    [{ VERSION: "" }, version],
    [{ VERSION: "1.2.3" }, "1.2.3"],
    [{ VERSION: "v1.2.3" }, "1.2.3"],
    [{ VERSION: "v10.20.30-rc.1" }, "10.20.30-rc.1"],
  ])("%p: %s", async (env, expected) => {
    expect(await buildVersion(ROOT, env)).toBe(expected);
  });

  test.each(["main", "1.2", "v1.2.3+build", "1.2.3-", "01.2.3", "vv1.2.3", '1.2.3"; x', "1.2.3\n"])(
    "%p is refused",
    async (text) => {
      await expect(buildVersion(ROOT, { VERSION: text })).rejects.toThrow(
        "expected one like v1.2.3",
      );
    },
  );
});

describe("buildCommit()", () => {
  test("cuts a full commit hash to 12 digits and keeps anything else", async () => {
    expect(await buildCommit(ROOT, { COMMIT: "0123456789abcdef0123456789abcdef01234567" })).toBe(
      "0123456789ab",
    );
    expect(await buildCommit(ROOT, { COMMIT: "abc-dirty" })).toBe("abc-dirty");
  });

  test("is unknown outside a repository", async () => {
    using directory = temporaryDirectory();
    expect(await buildCommit(directory.path, {})).toBe("unknown");
  });

  test("asks git, and adds -dirty when files were changed", async () => {
    using directory = temporaryDirectory();
    const git = async (...args: readonly string[]): Promise<string> => {
      const who = ["-c", "user.name=t", "-c", "user.email=t@example.test"];
      const child = Bun.spawn(["git", ...who, ...args], {
        cwd: directory.path,
        stdout: "pipe",
        stderr: "ignore",
      });
      return (await child.stdout.text()).trim();
    };
    await git("init");
    await Bun.write(join(directory.path, "a"), "1");
    await git("add", "a");
    await git("commit", "--message", "a");
    await git("tag", "v9.9.9");
    const commit = (await git("rev-parse", "HEAD")).slice(0, 12);
    expect(await buildCommit(directory.path, {})).toBe(commit);
    await Bun.write(join(directory.path, "a"), "2");
    expect(await buildCommit(directory.path, {})).toBe(`${commit}-dirty`);
  });
});
