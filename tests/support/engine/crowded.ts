/**
 * `bun crowded.ts COUNT`: a fake engine with so many containers, each with a model of its own. It is a process
 * of its own, so that a test can measure what following them costs without the engine's part. It prints the path of its
 * socket, and ends when its standard input does.
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
