/**
 * `bun crowded.ts COUNT`: a fake engine with that many containers, each with its own model. It is a separate
 * process, so that a test can measure the cost of following the containers without the cost of the engine. It
 * prints the path of its socket, and ends when its standard input ends.
 */
import { modelList } from "../proxy/discovery.ts";
import { FakeEngine } from "./fake.ts";

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
