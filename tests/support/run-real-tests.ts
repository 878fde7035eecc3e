/**
 * `npm run test:real`: the compiled binary in front of the real llama.cpp. Unlike `npm test` it fails without
 * a Docker engine or without llama.cpp. Its arguments are the test files.
 */
import { runOnEngine } from "./engine/run-on-engine.ts";
import { provideLlamaCpp } from "./llama-cpp/package.ts";

const { version } = await provideLlamaCpp();
process.exit(await runOnEngine(`llama.cpp ${version}`, process.argv.slice(2)));
