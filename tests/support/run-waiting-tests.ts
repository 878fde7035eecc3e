/**
 * `npm run test:waiting`: clients wait while their servers are replaced, on a real engine. Its arguments are
 * the test files.
 */
import { runOnEngine } from "./engine/run-on-engine.ts";

process.exit(await runOnEngine("Requests that wait", process.argv.slice(2)));
