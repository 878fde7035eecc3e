/**
 * A process of its own: a fake engine with as many containers as its argument says, each with a model
 * of its own, so that whoever follows them can measure what that costs without counting the engine's
 * part. Prints the socket's path, and ends with its standard input.
 */
import { modelList } from "../proxy/discovery.ts";
import { FakeEngine } from "./fake-engine.ts";

const count = Number(process.argv[2]);
using fake = await new FakeEngine().start();
using server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: ({ url }) => modelList(`m${/\/(\d+)\/v1\/models$/.exec(url)?.[1]}`),
});
for (let n = 0; n < count; n += 1) {
  fake.add({
    labels: {
      "inference.enable": "true",
      "inference.port": String(server.port),
      "inference.api.base_path": `/${n}/v1`,
    },
  });
}
console.log(fake.socketPath);
await Bun.stdin.text();
