import { expect, test } from "bun:test";
import { KeptBytes } from "../../src/proxy/body/kept-bytes.ts";
import { NO_REPORT, NO_TELEMETRY, type Telemetry } from "../../src/telemetry/telemetry.ts";
import { rawServer } from "../support/client/raw-http.ts";
import { chat } from "../support/client/requests.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { fakeBackend } from "../support/server/scripted.ts";
import { until } from "../support/until.ts";

function bug(): never {
  throw new TypeError("undefined is not a function");
}

/** A report with a bug: it throws in `answered`, or at each piece. */
function telemetryThat(answered: () => ((piece: Uint8Array) => void) | undefined): Telemetry {
  const call = { ...NO_REPORT.call(undefined as never), answered };
  return { ...NO_TELEMETRY, request: () => ({ ...NO_REPORT, call: () => call }) };
}

test("forward() answers 500 to a bug of ours, logs it, and does not blame the server", async () => {
  using upstream = fakeBackend();
  const kept = new KeptBytes(1_000);
  using proxy = startProxyTo(upstream.origin, { kept, telemetry: telemetryThat(bug) });
  const answer = await chat(proxy.origin, "m");
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({ error: { code: "internal_error" } });
  expect(proxy.log.count("undefined is not a function")).toBe(1);
  expect(proxy.log.lines.map(({ level }) => level)).toEqual(["error"]);
  await until("its lease has ended", () => proxy.backend.inFlight === 0);
  expect([proxy.keptOpen(), kept.total]).toEqual([0, 0]); // once the kept bytes of the body stayed counted
});

test("forward() aborts an answer in flight at a bug of ours, and reports it as a bug", async () => {
  using upstream = fakeBackend(
    () => new Response("data: x\n\n".repeat(300_000), { headers: { "content-type": "a/b" } }),
  );
  using proxy = startProxyTo(upstream.origin, { telemetry: telemetryThat(() => bug) });
  const answer = await chat(proxy.origin, "m").then(
    (response) => response.text(),
    () => "broken off",
  );
  expect(answer).not.toContain("data: x\n\n".repeat(300_000));
  await until("it is logged", () => proxy.log.count("internal error") === 1);
  await until("its lease has ended", () => proxy.backend.inFlight === 0);
});

test("forward() answers 502 to an invalid status and blames the server", async () => {
  using upstream = await rawServer();
  using proxy = startProxyTo(upstream.origin);
  const asked = chat(proxy.origin, "m");
  (await upstream.request()).send("HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n");
  expect((await asked).status).toBe(502);
  await until("it is logged", () => proxy.log.lines.length > 0);
  expect(proxy.log.lines.map(({ level }) => level)).toEqual(["warn"]);
});
