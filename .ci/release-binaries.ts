/**
 * Builds the binaries of a release into dist/, and starts the one for this machine. Publishes nothing: that
 * is publish-binaries.sh, in a job that runs none of this. Its output `sums` is the SHA-256 of SHA256SUMS.
 *
 * Environment: VERSION (a tag), COMMIT.
 */
import { join } from "node:path";
import { run, smokeTest, tellOutput, variable } from "./release-steps.ts";

const ROOT = join(import.meta.dir, "..");
const DIST = join(ROOT, "dist");

variable("VERSION"); // else it would be that of package.json
await run([process.execPath, join(import.meta.dir, "build.ts"), "--all"]);
await smokeTest(ROOT, [join(DIST, `lw-inference-proxy-linux-${process.arch}`), "--version"]);
const sums = await Bun.file(join(DIST, "SHA256SUMS")).bytes();
tellOutput("sums", new Bun.CryptoHasher("sha256").update(sums).digest("hex"));
