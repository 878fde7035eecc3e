import { expect, test } from "bun:test";
import { chat, post } from "../support/client/requests.ts";
import { startProxy } from "../support/proxy/in-process.ts";
import { startReportingProxy } from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

const ENTRIES = [
  { id: "org/gguf", aliases: ["gguf"] },
  { id: "llama3.2:latest" },
  { id: "lora", parent: "base" },
];

test.each(["gguf", "llama3.2", "base:lora"])(
  "a request for %p is passed on unchanged, because the server resolves the name",
  async (name) => {
    using server = fakeBackend();
    const backend = makeBackend({ origin: server.origin, models: ENTRIES });
    using proxy = startProxy({ backends: [backend, makeBackend()] });
    const body = ` {"stream":false, "model" : "${name}"}`;
    await fetch(`${proxy.origin}/v1/completions`, { method: "POST", body });
    await fetch(`${proxy.origin}/v1/files?model=${encodeURIComponent(name)}`);
    const [first, second] = server.received;
    expect(Buffer.from(first!.body).toString()).toBe(body);
    expect(second!.target).toBe(`/v1/files?model=${encodeURIComponent(name)}`);
    const described = await fetch(`${proxy.origin}/v1/models/${encodeURIComponent(name)}`);
    expect<readonly unknown[]>(ENTRIES).toContainEqual(await described.json());
  },
);

test("if a connection is refused, another server that knows the model by the same name takes the request", async () => {
  using knows = fakeBackend(() => new Response("knows"));
  using knowsNot = fakeBackend(() => new Response("knows not"));
  const closed = fakeBackend();
  const { origin } = closed;
  closed[Symbol.dispose]();
  const models = [{ id: "org/gguf", aliases: ["gguf"] }];
  using proxy = startProxy({
    backends: [
      makeBackend({ origin: knows.origin, models: [{ id: "other", aliases: ["gguf"] }] }),
      makeBackend({ origin: knowsNot.origin, models: [{ id: "org/gguf" }] }),
      makeBackend({ origin, models }),
    ],
  });
  expect(await (await chat(proxy.origin, "gguf")).text()).toBe("knows");
  expect(await (await chat(proxy.origin, "org/gguf")).text()).toBe("knows not");
});

test("the error names the model as the client does, and the log as its server does", async () => {
  const closed = fakeBackend();
  const { origin } = closed;
  closed[Symbol.dispose]();
  const backend = makeBackend({ origin, models: [{ id: "org/gguf", aliases: ["gguf"] }] });
  using proxy = startProxy({ backends: [backend] });
  const response = await chat(proxy.origin, "gguf");
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect([error.code, error.message]).toEqual([
    "backend_unreachable",
    'Cannot forward the request: the server of model "gguf" did not answer; its log may say why',
  ]);
  await until("it is logged", () => proxy.log.lines.length > 0);
  expect(proxy.log.lines.at(-1)).toMatchObject({ level: "warn", model: "org/gguf" });
});

test("metrics and traces have the id that the server lists, not the client's name for the model", async () => {
  using server = fakeBackend(() => Response.json({}));
  const backend = makeBackend({ origin: server.origin, models: ENTRIES });
  using reporting = startReportingProxy([backend], { scrape: true });
  const { origin } = reporting.proxy;
  for (const name of ["gguf", "llama3.2", "base:lora"]) await chat(origin, name);
  reporting.proxy.table.drain(backend);
  expect((await chat(origin, "gguf")).status).toBe(503);
  expect((await post(origin, "/v1/completions", { model: "GGUF" })).status).toBe(404);
  const metrics = await reporting.telemetry.scrape!();
  const labels = [...metrics.matchAll(/^proxy_requests_total\{model="([^"]*)"/gm)];
  expect(new Set(labels.map(([, label]) => label))).toEqual(
    new Set(["org/gguf", "llama3.2:latest", "lora", "unknown"]),
  );
  const { clients } = await reporting.spans();
  expect(clients.map(({ name }) => name)).toEqual([
    "chat org/gguf",
    "chat llama3.2:latest",
    "chat lora",
  ]);
});
