/** `npm run test:replicas`: what takes long with replicas of a model on a real engine. The test files are its arguments. */
import { runOnEngine } from "./engine/run-on-engine.ts";

process.exit(await runOnEngine("Replicas", process.argv.slice(2)));
