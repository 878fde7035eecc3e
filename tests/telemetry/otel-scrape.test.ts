import { describe, expect, test } from "bun:test";
import { chat, post } from "../support/client/requests.ts";
import { startReportingProxy } from "../support/proxy/reporting.ts";
import { makeBackend } from "../support/server/backends.ts";
import { fakeBackend } from "../support/server/scripted.ts";

const USAGE = { prompt_tokens: 3, completion_tokens: 5 };

describe("metrics in Prometheus' format", () => {
  test("work without OTLP, and then nothing is traced or sent", async () => {
    using backend = fakeBackend(() => Response.json({ usage: USAGE }));
    using reporting = startReportingProxy([makeBackend({ origin: backend.origin })], {
      scrape: true,
      env: {},
    });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await fetch(`${reporting.proxy.origin}/v1/chat/completions`, {
      method: "POST",
      body: '{"model":"m"}',
      headers: { traceparent, tracestate: "a=b" },
    });
    expect(backend.received[0]!.headers.get("traceparent")).toBe(traceparent);
    expect(backend.received[0]!.headers.get("tracestate")).toBe("a=b");
    const response = await fetch(`${reporting.proxy.origin}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    expect(text).toMatch(/^proxy_requests_total\{model="m",status_code="200",.*\} 1$/m);
    expect(text).toMatch(/^# TYPE proxy_request_duration histogram$/m);
    expect(text).toMatch(/^gen_ai_client_token_usage_sum\{.*gen_ai_token_type="output".*\} 5$/m);
    const head = await fetch(`${reporting.proxy.origin}/metrics`, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect((await post(reporting.proxy.origin, "/metrics", {})).status).toBe(404);
    await reporting.telemetry.shutdown();
    expect(reporting.receiver.requests).toEqual([]);
  });

  test("escape the name of a model", async () => {
    const id = 'a"b\\c\nd{}';
    using backend = fakeBackend(() => Response.json({}));
    using reporting = startReportingProxy(
      [makeBackend({ origin: backend.origin, models: [{ id }] })],
      {
        scrape: true,
      },
    );
    await chat(reporting.proxy.origin, id);
    expect(await reporting.telemetry.scrape!()).toContain('model="a\\"b\\\\c\\nd{}"');
    await reporting.telemetry.shutdown();
  });
});
