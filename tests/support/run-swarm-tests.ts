/**
 * `npm run test:swarm`: the compiled binary on a real swarm of three nodes. Unlike `npm test` it fails if
 * this machine cannot run such a swarm. Its arguments are the test files.
 */
import { withSwarm } from "./swarm/run-on-swarm.ts";
import { whyNoSwarm } from "./swarm/why-no-swarm.ts";

/** The longest time for a test. */
const BOUND = "--timeout=300000";

const why = await whyNoSwarm();
if (why !== undefined) throw new Error(`Cannot test on a swarm: ${why}`);
process.exit(
  await withSwarm(async (environment) => {
    const child = Bun.spawn([process.execPath, "test", BOUND, ...process.argv.slice(2)], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "inherit", "inherit"],
    });
    return child.exited;
  }),
);
