import { describe, expect, test } from "bun:test";
import { ABRUPT, handshake, NORMAL, RESET } from "../support/proxy/reported-websocket.ts";
import { scraped, startTestTelemetry } from "../support/proxy/reporting.ts";

describe("the metrics of a WebSocket", () => {
  test("count it from the handshake to its end, once, and not in the durations", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const { telemetry } = test_;
    const gauges = (): Promise<readonly (readonly string[])[]> =>
      Promise.all(
        ["proxy_websockets_active", "proxy_backend_inflight", "proxy_requests_total"].map((name) =>
          scraped(telemetry, name),
        ),
      );
    const { call } = handshake(telemetry);
    expect(await gauges()).toEqual([[], ['{model="m"} 1'], []]);
    const ended = call.upgraded();
    call.upgraded();
    const other = handshake(telemetry, "/v1/realtime", "n").call.upgraded();
    expect(await gauges()).toEqual([
      ['{model="m"} 1', '{model="n"} 1'],
      ['{model="m"} 1', '{model="n"} 1'],
      [],
    ]);
    expect(await scraped(telemetry, "http_server_active_requests")).toEqual([
      '{http_request_method="GET",url_scheme="http"} 2',
    ]);
    for (const end of [ended, other]) {
      end(NORMAL, undefined);
      end({ ...ABRUPT, error: RESET }, "cut");
    }
    call.failed(RESET, undefined);
    call.ended({ bytes: 1 }, undefined);
    expect(await gauges()).toEqual([
      ['{model="m"} 0', '{model="n"} 0'],
      ['{model="m"} 0', '{model="n"} 0'],
      ['{model="m",status_code="101"} 1', '{model="n",status_code="101"} 1'],
    ]);
    expect(await scraped(telemetry, "http_server_active_requests")).toEqual([
      '{http_request_method="GET",url_scheme="http"} 0',
    ]);
    expect(await scraped(telemetry, "proxy_request_duration_count")).toEqual([]);
    await telemetry.shutdown();
    expect(test_.receiver.metrics.get("proxy.websockets.active")?.unit).toBe("{websocket}");
    expect(test_.receiver.spans).toHaveLength(4);
  });

  test("count begin and end for the same model", async () => {
    using test_ = startTestTelemetry({ scrape: true });
    const { report, call } = handshake(test_.telemetry);
    const ended = call.upgraded();
    report.named("n", true);
    ended(NORMAL, undefined);
    for (const name of ["proxy_websockets_active", "proxy_backend_inflight"]) {
      expect(await scraped(test_.telemetry, name)).toEqual(['{model="m"} 0']);
    }
    await test_.telemetry.shutdown();
  });

  test("stay at 1,000 series and lose no WebSocket", async () => {
    using test_ = startTestTelemetry();
    const ends = Array.from({ length: 1_500 }, (_, index) =>
      handshake(test_.telemetry, "/v1/realtime", `m${index}`).call.upgraded(),
    );
    for (const ended of ends.slice(0, 500)) ended(NORMAL, undefined);
    await test_.telemetry.shutdown();
    const points = test_.receiver.metrics.get("proxy.websockets.active")?.points ?? [];
    expect(points.length).toBeWithin(990, 1_001);
    expect(points.reduce((sum, { value }) => sum + value, 0)).toBe(1_000);
  });
});
