import { expect, test } from "bun:test";
import { startTestTelemetry, type TestTelemetry } from "../support/proxy/reporting.ts";

/** A finished request without real HTTP. */
function report({ telemetry }: TestTelemetry): void {
  const request = new Request("http://proxy.test/v1/chat/completions");
  telemetry.request(request, "/v1/chat/completions").answered(200, undefined);
}

// BatchSpanProcessor 2.12: after each failed export, one more export may be in flight.
test("createOtel() never has more batches in flight than the queue holds, however many have failed", async () => {
  using reporting = startTestTelemetry();
  let failed = 0;
  let waiting = 0;
  let most = 0;
  reporting.receiver.answer = async () => {
    waiting += 1;
    most = Math.max(most, waiting);
    await Bun.sleep(100); // time for other batches
    waiting -= 1;
    failed += 1;
    return new Response(null, { status: 500 });
  };
  for (let batch = 0; failed < 30 && batch < 2_000; batch += 1) {
    for (let sent = 0; sent < 512; sent += 1) report(reporting);
    await Bun.sleep(5); // the pace of the batches: there is no condition to wait for
  }
  expect(failed).toBeGreaterThanOrEqual(30);
  expect(most).toBeLessThanOrEqual(5);
}, 30_000);
