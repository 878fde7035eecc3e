import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { explainSocket, explainStaleSocket } from "../../src/engine/socket-file.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** A file will do: who may use a socket is told by its mode. */
function fileOf(directory: string, mode: number): string {
  const path = join(directory, "docker.sock");
  writeFileSync(path, "");
  chmodSync(path, mode);
  return path;
}

// Connecting to each of these for real: tests/engine/error.test.ts.
describe("explainSocket()", () => {
  test.each([
    ["for its group", 0o660],
    ["for all", 0o666],
  ])("permission denied though the mode allows it, %s: a security module", (_what, mode) => {
    using directory = temporaryDirectory();
    const text = explainSocket(fileOf(directory.path, mode), "EACCES");
    expect(text).toContain("docker run --security-opt label=disable");
  });

  test("permission denied, and only the owner may", () => {
    using directory = temporaryDirectory();
    const text = explainSocket(fileOf(directory.path, 0o600), "EPERM");
    expect(text).toContain(`the socket is for user ${process.getuid?.()} alone`);
  });

  // Only root may give a file away.
  test.skipIf(process.getuid?.() !== 0)("permission denied, and another group may", () => {
    using directory = temporaryDirectory();
    const path = fileOf(directory.path, 0o660);
    chownSync(path, 0, 4_711);
    expect(explainSocket(path, "EACCES")).toContain("docker run --group-add 4711");
  });

  test("permission denied, and nothing is to be seen: the innermost directory that is", () => {
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

test("explainStaleSocket() has nothing to say of what is no socket, or not there", () => {
  using directory = temporaryDirectory();
  expect(explainStaleSocket(fileOf(directory.path, 0o660))).toBeUndefined();
  expect(explainStaleSocket(join(directory.path, "none"))).toBeUndefined();
});
