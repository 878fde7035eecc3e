import { expect, test } from "bun:test";
import { startServer } from "../src/server.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";
import { until } from "./support/until.ts";

test("startServer() answers 500 as a JSON error when the handler fails, and logs it", async () => {
  const log = memoryLog();
  const handler = (): Response => {
    throw new Error("a bug");
  };
  const server = startServer({ port: 0, log, handler });
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ error: { code: "internal_error" } });
  expect(log.count("a bug")).toBe(1);
  await server.stop(0);
});

test("startServer() renews the timeout of open requests while they are open", async () => {
  const answer = Promise.withResolvers<Response>();
  let released = false;
  const server = startServer({
    port: 0,
    log: memoryLog(),
    idleTimeoutS: 8,
    handler: async (_request, client) => {
      client.keepOpen();
      const response = await answer.promise;
      client.release();
      released = true;
      return response;
    },
  });
  const asked = fetch(`http://127.0.0.1:${server.port}/`);
  await Bun.sleep(3_000); // one renewal; Bun's clock has steps of 4 s, so a shorter test would prove nothing
  answer.resolve(new Response("late"));
  expect(await (await asked).text()).toBe("late");
  await until("it is released", () => released);
  await server.stop(0);
});
