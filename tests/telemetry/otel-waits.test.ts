/** Reports for requests that wait. */
import { describe, expect, test } from "bun:test";
import type { RequestReport, Telemetry, WaitOutcome } from "../../src/telemetry/telemetry.ts";
import { scraped, startTestTelemetry } from "../support/proxy/reporting.ts";

const CHAT = "/v1/chat/completions";
const OUTCOMES: readonly WaitOutcome[] = ["routed", "timeout", "gone", "client_gone"];

function chatRequest(telemetry: Telemetry, model = "m", isKnown = true): RequestReport {
  const report = telemetry.request(new Request(`http://proxy.test${CHAT}`), CHAT);
  report.named(model, isKnown);
  return report;
}

describe("proxy.requests.waiting", () => {
  test("shows the waiting requests of each model, however a wait ends and however often the end is reported", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const { telemetry } = test_;
    const waiting = (): Promise<readonly string[]> => scraped(telemetry, "proxy_requests_waiting");
    expect(await waiting()).toEqual([]);
    const ends = OUTCOMES.map((outcome) => [outcome, chatRequest(telemetry).waits()] as const);
    const otherEnd = chatRequest(telemetry, "n").waits();
    const madeUpEnd = chatRequest(telemetry, "made up", false).waits();
    expect(await waiting()).toEqual(['{model="m"} 4', '{model="n"} 1', '{model="unknown"} 1']);
    expect(await telemetry.scrape?.()).toContain("# TYPE proxy_requests_waiting gauge\n");
    for (const [outcome, end] of ends) {
      end(outcome);
      end("gone");
    }
    expect(await waiting()).toEqual(['{model="m"} 0', '{model="n"} 1', '{model="unknown"} 1']);
    otherEnd("routed");
    madeUpEnd("routed");
    await telemetry.shutdown();
    const metric = test_.receiver.metrics.get("proxy.requests.waiting");
    expect(metric?.unit).toBe("{request}");
    expect(metric?.points.map(({ labels, value }) => [labels, value])).toEqual([
      [{ model: "m" }, 0],
      [{ model: "n" }, 0],
      [{ model: "unknown" }, 0],
    ]);
  });

  test("counts begin and end of a wait for the same model", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const report = chatRequest(test_.telemetry, "alias", false);
    const end = report.waits();
    report.named("m", true);
    end("routed");
    expect(await scraped(test_.telemetry, "proxy_requests_waiting")).toEqual([
      '{model="unknown"} 0',
    ]);
    await test_.telemetry.shutdown();
  });
});

describe("proxy.wait.duration", () => {
  test("counts by model and outcome, in seconds, with buckets from milliseconds to 10 minutes", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const { telemetry } = test_;
    const startMs = performance.now();
    const ends = OUTCOMES.map((outcome) => [outcome, chatRequest(telemetry).waits()] as const);
    await Bun.sleep(20);
    for (const [outcome, end] of ends) end(outcome);
    const tookS = (performance.now() - startMs) / 1000;
    expect(await scraped(telemetry, "proxy_wait_duration_count")).toEqual(
      OUTCOMES.map((outcome) => `{model="m",outcome="${outcome}"} 1`),
    );
    await telemetry.shutdown();
    const metric = test_.receiver.metrics.get("proxy.wait.duration");
    expect(metric?.unit).toBe("s");
    const { bounds, sum } = metric!.points[0]!;
    expect([bounds[0], bounds.at(-1)]).toEqual([0.005, 600]);
    expect(sum).toBeWithin(0.019, tookS);
  });

  test("stays at 1,000 series and loses no count", async () => {
    using test_ = startTestTelemetry();
    for (let index = 0; index < 1_500; index += 1) {
      chatRequest(test_.telemetry, `m${index}`).waits()("timeout");
    }
    await test_.telemetry.shutdown();
    const points = test_.receiver.metrics.get("proxy.wait.duration")?.points ?? [];
    expect(points.length).toBeWithin(990, 1_001);
    expect(points.reduce((sum, { count }) => sum + count, 0)).toBe(1_500);
    const waiting = test_.receiver.metrics.get("proxy.requests.waiting")?.points ?? [];
    expect(waiting.reduce((sum, { value }) => sum + value, 0)).toBe(0);
  });
});

describe("the SERVER span", () => {
  test("shows the total wait of the request, and how the last wait ended", async () => {
    using test_ = startTestTelemetry();
    const report = chatRequest(test_.telemetry);
    const startMs = performance.now();
    for (const outcome of ["routed", "timeout"] as const) {
      const end = report.waits();
      await Bun.sleep(20);
      end(outcome);
    }
    const tookS = (performance.now() - startMs) / 1000;
    report.answered(503, "backend_unavailable");
    await test_.telemetry.shutdown();
    const { attributes } = test_.receiver.spans[0]!;
    expect(attributes["proxy.wait.outcome"]).toBe("timeout");
    expect(attributes["proxy.wait.duration"]).toBeWithin(0.038, tookS);
  });

  test("of a request that did not wait shows no wait", async () => {
    using test_ = startTestTelemetry();
    chatRequest(test_.telemetry).answered(404, "model_not_found");
    await test_.telemetry.shutdown();
    const names = Object.keys(test_.receiver.spans[0]!.attributes);
    expect(names.filter((name) => name.startsWith("proxy.wait"))).toEqual([]);
  });
});
