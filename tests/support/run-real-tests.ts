/**
 * `npm run test:real`: the compiled binary in front of the real llama.cpp. Unlike `npm test` it fails if there is no
 * Docker engine or no llama.cpp. The test files are its arguments.
 */
import { runOnEngine } from "./engine/run-on-engine.ts";
import { provideLlamaCpp } from "./llama-cpp/package.ts";

const { version } = await provideLlamaCpp();
process.exit(await runOnEngine(`llama.cpp ${version}`, process.argv.slice(2)));
