import { expect, test } from "bun:test";
import { startServer } from "../src/server.ts";
import { memoryLog } from "./support/proxy/memory-log.ts";
import { until } from "./support/until.ts";

test("startServer() answers 500 in our own shape when the handler fails, and says so in the log", async () => {
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

test("startServer() renews the timeout of held requests for as long as they are held", async () => {
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
  await Bun.sleep(3_000); // one renewal; Bun keeps time in steps of 4 s, so nothing shorter can be told apart
  answer.resolve(new Response("late"));
  expect(await (await asked).text()).toBe("late");
  await until("it is released", () => released);
  await server.stop(0);
});
