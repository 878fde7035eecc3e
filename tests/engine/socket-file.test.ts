import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { explainSocket, explainStaleSocket } from "../../src/engine/socket-file.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** A plain file is enough: its mode says who may use it. */
function fileOf(directory: string, mode: number): string {
  const path = join(directory, "docker.sock");
  writeFileSync(path, "");
  chmodSync(path, mode);
  return path;
}

// tests/engine/error.test.ts connects to real ones.
describe("explainSocket()", () => {
  test.each([
    ["for its group", 0o660],
    ["for all", 0o666],
  ])(
    "permission denied although the mode allows it, %s: blames a security module",
    (_what, mode) => {
      using directory = temporaryDirectory();
      const text = explainSocket(fileOf(directory.path, mode), "EACCES");
      expect(text).toContain("docker run --security-opt label=disable");
    },
  );

  test("permission denied and only the owner may use it: names the owner", () => {
    using directory = temporaryDirectory();
    const text = explainSocket(fileOf(directory.path, 0o600), "EPERM");
    expect(text).toContain(`only user ${process.getuid?.()} may use the socket`);
  });

  // Only root may change the owner of a file.
  test.skipIf(process.getuid?.() !== 0)("permission denied, and another group may", () => {
    using directory = temporaryDirectory();
    const path = fileOf(directory.path, 0o660);
    chownSync(path, 0, 4_711);
    expect(explainSocket(path, "EACCES")).toContain("docker run --group-add 4711");
  });

  test("permission denied by a directory: names the innermost directory that we can stat", () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "run"));
    const path = join(directory.path, "run", "user", "1000", "docker.sock");
    const text = explainSocket(path, "EACCES");
    expect(text).toContain(`may not enter ${join(directory.path, "run")}, which belongs to user`);
  });

  test.each(["ECONNRESET", "ENAMETOOLONG", ""])("%p has nothing to do with the file", (code) => {
    expect(explainSocket("/var/run/docker.sock", code)).toBeUndefined();
  });
});

test("explainStaleSocket() returns undefined for a missing file and for a file that is not a socket", () => {
  using directory = temporaryDirectory();
  expect(explainStaleSocket(fileOf(directory.path, 0o660))).toBeUndefined();
  expect(explainStaleSocket(join(directory.path, "none"))).toBeUndefined();
});
