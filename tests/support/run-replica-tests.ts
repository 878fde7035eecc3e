/**
 * `npm run test:replicas`: the slow tests of a model's replicas on a real engine. Its arguments are the test
 * files.
 */
import { runOnEngine } from "./engine/run-on-engine.ts";

process.exit(await runOnEngine("Replicas", process.argv.slice(2)));
