/**
 * Publishes the binaries of `build:all` as a release of the tag in VERSION. Needs `gh`, and its token in
 * GH_TOKEN. A version with a suffix (1.2.3-rc.1) is marked as not for everybody.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildVersion } from "./build-version.ts";

const ROOT = join(import.meta.dir, "..");

const version = await buildVersion(ROOT, process.env);
// What has a sum, so that nothing is published without one.
const files = readFileSync(join(ROOT, "dist/SHA256SUMS"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => line.split("  ")[1] ?? "");
const gh = Bun.spawn(
  [
    ...["gh", "release", "create", `v${version}`, "--verify-tag", "--generate-notes"],
    ...(version.includes("-") ? ["--prerelease"] : []),
    ...[...files, "SHA256SUMS"].map((file) => join("dist", file)),
  ],
  { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] },
);
process.exit(await gh.exited);
