import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { openDirectory, temporaryDirectory } from "./temporary-directory.ts";

const EVERYWHERE = ["/tmp", "/var/tmp"];

test("openDirectory() makes a directory that other users can enter, and removes it at the end of the block", () => {
  using closed = temporaryDirectory();
  const below = join(closed.path, "below");
  mkdirSync(below);
  chmodSync(below, 0o755);
  let path: string;
  {
    using open = openDirectory([closed.path, below, join(closed.path, "none"), ...EVERYWHERE]);
    path = open.path;
    expect(path).toStartWith("/");
    expect(path.startsWith(closed.path)).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o755);
  }
  expect(existsSync(path)).toBe(false);
});

test("openDirectory() throws if other users can enter none of the parents", () => {
  using closed = temporaryDirectory();
  expect(() => openDirectory([closed.path])).toThrow("Cannot find a directory for other users");
});
