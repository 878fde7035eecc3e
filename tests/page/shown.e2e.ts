/** How the page shows an answer of `/status`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Status } from "../../src/status.ts";
import { type Browser, startBrowser } from "../support/browser/browser.ts";
import { busyStatus } from "../support/browser/busy-host.ts";
import { container, HOUR, model, quietStatus, recent } from "../support/browser/made-up-status.ts";
import { facts, openStatus, row, type ShownPage, text, texts } from "../support/browser/reading.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const open = (status: Status): Promise<ShownPage> => openStatus(browser, status);

test("the head shows version, uptime, readiness, requests, and the engine's state, time and API", async () => {
  using shown = await open(busyStatus());
  const { page } = shown;
  expect(await text(page.locator("h1"))).toBe("lw-inference-proxy 1.4.0");
  expect(await facts(page.locator("#facts"))).toEqual({
    "Up for": "3 d",
    State: "ready",
    "In flight": "23",
    Waiting: "3",
    "First chunk p50 / p95": "240 ms / 1.9 s",
    Speed: "54 tokens/s",
    Requests: "787",
    Errors: "3",
    "Last 5 minutes": "787 requests in the last 5 minutes, at most 51 in 10 s",
    "Docker engine": "connected for 3 d at unix:///var/run/docker.sock, API 1.52",
  });
  expect(await page.locator("#engine").isVisible()).toBe(false);
});

test("a model shows its servers with state and share, its numbers, and a graph with a text", async () => {
  using shown = await open(busyStatus());
  const { page } = shown;
  const llama = row(page, "models", "meta-llama/Llama-3.3-70B-Instruct");
  expect(await texts(llama.locator(".servers li"))).toEqual([
    "llama-70b routed · all",
    "vllm-old unhealthy · none",
  ]);
  expect(await facts(llama.locator("dl"))).toEqual({
    "In flight": "6",
    Waiting: "2",
    "First chunk p50 / p95": "620 ms / 3.4 s",
    Speed: "33 tokens/s",
    Requests: "133",
    Errors: "3",
    "Last 5 minutes": "133 requests in the last 5 minutes, at most 9 in 10 s",
  });
  const pieces = row(page, "models", "qwen3:8b");
  expect((await facts(pieces.locator("dl")))["Speed"]).toBe("62 pieces/s");
  const none = row(page, "models", "whisper-large-v3");
  expect(await text(none)).toContain("no server has this model now");
  await llama.getByRole("link", { name: "vllm-old" }).click();
  expect(await text(page.locator("#boxes > li:target h3"))).toBe("vllm-old");
});

test("clients that left do not count as errors, although they have a code and may have a status", async () => {
  const errors = { client_gone: 7, backend_unreachable: 1 };
  const left = recent([9], { errors, failed: 1, statuses: { "2xx": 3, "4xx": 5, "5xx": 1 } });
  using shown = await open(quietStatus({ models: [model({ id: "m", recent: left })] }));
  expect((await facts(row(shown.page, "models", "m").locator("dl")))["Errors"]).toBe("1");
});

test("a model's details show five minutes and one hour, with errors by code and by status class", async () => {
  using shown = await open(busyStatus());
  const llama = row(shown.page, "models", "meta-llama/Llama-3.3-70B-Instruct");
  await llama.getByRole("button", { name: "Details of meta-llama/Llama-3.3-70B-Instruct" }).click();
  expect(await texts(llama.locator("table tr"))).toEqual([
    "Requests 5 min 1 hour",
    "All 133 1,463",
    "Status 2xx 130 1,460",
    "Status 5xx 3 3",
    "Error backend_unreachable 3 3",
    "First chunk, p50 620 ms 620 ms",
    "First chunk, p95 3.4 s 3.4 s",
    "Pieces a second 31.5 31.5",
    "Tokens a second 32.8 32.8",
    "Input tokens 410K 4.5M",
    "Output tokens 61,200 673.2K",
  ]);
});

test("a container shows its state and time, the reason, what to do, its last exit, its load and models", async () => {
  using shown = await open(busyStatus());
  const { page } = shown;
  const whisper = await text(row(page, "boxes", "whisper"));
  expect(whisper).toContain("restarting for 42 s crash loop");
  expect(whisper).toContain("it crashes again and again");
  expect(whisper).toContain("docker logs");
  expect(whisper).toContain("last exit: it exited with code 1, 42 s ago");
  const reading = row(page, "boxes", "llama-70b-next");
  expect(await text(reading)).toContain(
    "reading models for 1 min 503 Service Unavailable – the server is still loading its model",
  );
  expect(await reading.locator(".todo code").allInnerTexts()).toEqual([
    "inference.port",
    "inference.api.base_path",
    "inference.models",
  ]);
  expect(await row(page, "boxes", "ollama").locator(".todo").isVisible()).toBe(false);
  expect(await facts(row(page, "boxes", "qwen-gpu-0").locator("dl"))).toEqual({
    "In flight": "9 of 16",
    Load: "10.4",
    Models: "Qwen/Qwen3-32B-AWQ",
  });
  expect((await facts(row(page, "boxes", "ollama").locator("dl")))["Models"]).toBe(
    "gemma3:4b, llama3.2:3b, nomic-embed-text:latest and 2 more",
  );
  const since = row(page, "boxes", "ollama").locator("time").first();
  const ageMs = Date.now() - Date.parse((await since.getAttribute("datetime")) ?? "");
  expect(ageMs).toBeWithin(3 * HOUR, 4 * HOUR);
  expect(await text(page.locator("#boxes-sum"))).toBe(
    "5 routed, 1 reading models, 1 unhealthy, 1 restarting",
  );
});

test("a container's details show reason, models and address in full, and its requests by routing reason", async () => {
  using shown = await open(busyStatus());
  const box = row(shown.page, "boxes", "qwen-gpu-0");
  await box.locator(".open").click();
  const { Id: id, ...others } = await facts(box.locator(".panel dl"));
  expect(id).toHaveLength(64);
  expect(others).toEqual({
    Reason: "healthy; shares the requests for model Qwen/Qwen3-32B-AWQ with qwen-gpu-1",
    Models: "Qwen/Qwen3-32B-AWQ",
    Address: "http://172.18.0.4:8000",
    "Requests of the last minute, by routing reason": "prefix: 31, load: 12, only: 0, failover: 1",
  });
});

test("a state is shown not only by its colour, but also by a word and a shape", async () => {
  const states = [
    "routed",
    "reading_models",
    "starting",
    "unhealthy",
    "paused",
    "drained",
    "stopping",
  ];
  using shown = await open(
    quietStatus({ containers: states.map((state) => container({ name: `c-${state}`, state })) }),
  );
  const shownStates = shown.page.locator("#boxes .state");
  expect(await texts(shownStates)).toEqual(states.map((state) => state.replace("_", " ")));
  const shapes = new Map<string | null, Set<string | null>>();
  for (const state of await shownStates.all()) {
    const [tone, shape] = [
      await state.getAttribute("class"),
      await state.locator("path").getAttribute("d"),
    ];
    shapes.set(tone, (shapes.get(tone) ?? new Set()).add(shape));
  }
  const drawn = [...shapes.values()].flatMap((set) => [...set]);
  expect(drawn).toHaveLength(shapes.size);
  expect(new Set(drawn).size).toBe(shapes.size);
});

test("a model with many servers shows the first ones, and all of them in its details", async () => {
  const names = Array.from({ length: 30 }, (_, n) => `gpu-${n}`);
  const servers = names.map((name) => ({ container: name, gets: "shares" as const }));
  using shown = await open(
    quietStatus({
      models: [model({ id: "big", servers })],
      containers: names.map((name) => container({ name })),
    }),
  );
  const big = row(shown.page, "models", "big");
  expect(await text(big)).toContain("and 26 more");
  await big.locator(".open").click();
  expect(await big.locator(".panel .servers li").count()).toBe(30);
});
