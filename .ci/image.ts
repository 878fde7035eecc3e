/**
 * Builds the image `lw-inference-proxy` with the version and the commit in its labels. Arguments are passed on
 * to `docker build`: `bun run image --tag registry.example/proxy:1.2.3`.
 */
import { join } from "node:path";
import { buildCommit, buildVersion } from "./build-version.ts";

const ROOT = join(import.meta.dir, "..");

const docker = Bun.spawn(
  [
    ...["docker", "build", "--tag", "lw-inference-proxy"],
    ...["--build-arg", `VERSION=${await buildVersion(ROOT, process.env)}`],
    ...["--build-arg", `COMMIT=${await buildCommit(ROOT, process.env)}`],
    ...process.argv.slice(2),
    ROOT,
  ],
  { stdio: ["ignore", "inherit", "inherit"] },
);
process.exit(await docker.exited);
