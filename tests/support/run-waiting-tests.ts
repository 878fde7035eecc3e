/** `npm run test:waiting`: servers on a real engine that are replaced while clients wait. The test files are its arguments. */
import { runOnEngine } from "./engine/run-on-engine.ts";

process.exit(await runOnEngine("Requests that wait", process.argv.slice(2)));
