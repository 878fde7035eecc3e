/**
 * Builds the binaries of a release into dist/, and starts the one for this machine. It publishes nothing:
 * publish-binaries.sh does, in a job that runs no code from here. The output `sums` is the SHA-256 of SHA256SUMS.
 *
 * Environment: VERSION (a tag), COMMIT.
 */
import { join } from "node:path";
import { run, smokeTest, tellOutput, variable } from "./release-steps.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");

variable("VERSION"); // otherwise build.ts would take the version of package.json
await run([process.execPath, join(import.meta.dir, "build.ts"), "--all"]);
await smokeTest(ROOT, [join(DIST, `lw-inference-proxy-linux-${process.arch}`), "--version"]);
const sums = await Bun.file(join(DIST, "SHA256SUMS")).bytes();
tellOutput("sums", new Bun.CryptoHasher("sha256").update(sums).digest("hex"));
