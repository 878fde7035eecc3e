import { expect, test } from "bun:test";
import { startTestTelemetry, type TestTelemetry } from "../support/proxy/reporting.ts";

/** A request that has ended, without the HTTP around it. */
function report({ telemetry }: TestTelemetry): void {
  const request = new Request("http://proxy.test/v1/chat/completions");
  telemetry.request(request, "/v1/chat/completions").answered(200, undefined);
}

// BatchSpanProcessor 2.12: with each export that fails, one more may be under way from then on.
test("createOtel() has no more batches under way than the queue has, however many have failed", async () => {
  using reporting = startTestTelemetry();
  let failed = 0;
  let waiting = 0;
  let most = 0;
  reporting.receiver.answer = async () => {
    waiting += 1;
    most = Math.max(most, waiting);
    await Bun.sleep(100); // time for others to be sent beside it
    waiting -= 1;
    failed += 1;
    return new Response(null, { status: 500 });
  };
  for (let batch = 0; failed < 30 && batch < 2_000; batch += 1) {
    for (let sent = 0; sent < 512; sent += 1) report(reporting);
    await Bun.sleep(5); // the pace of the batches: no condition to wait for
  }
  expect(failed).toBeGreaterThanOrEqual(30);
  expect(most).toBeLessThanOrEqual(5);
}, 30_000);
