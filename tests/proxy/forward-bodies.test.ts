import { expect, test } from "bun:test";
import { chunked } from "../support/client/piecewise.ts";
import { startProxyTo } from "../support/proxy/in-process.ts";
import { fakeBackend } from "../support/server/scripted.ts";

const HEAD = '{"model":"m","pad":"';
const SIZES = { "a minimal body": 0, "64 KB": 64 * 1024, "10 MB": 10_000_000 } as const;

test.each(
  Object.entries(SIZES).flatMap(([size, bytes]) =>
    (["length", "chunked"] as const).map((framing) => [size, framing, bytes] as const),
  ),
)(
  "forward() passes %s by %s up and down byte for byte, with the same framing",
  async (_size, framing, bytes) => {
    using upstream = fakeBackend((request) => new Response(request.body.slice()));
    using proxy = startProxyTo(upstream.origin);
    const body = `${HEAD}${"äx".repeat(bytes / 2)}"}`;
    const response = await fetch(`${proxy.origin}/v1/echo`, {
      method: "POST",
      body: framing === "length" ? body : chunked(body),
    });
    expect((await response.text()) === body).toBe(true);
    const [received] = upstream.received;
    expect(Buffer.from(received!.body).toString() === body).toBe(true);
    const length = received!.headers.get("content-length");
    expect(length).toBe(framing === "length" ? String(Buffer.byteLength(body)) : null);
  },
);

test.each(["", "x"])("forward() passes a body of %j up and down", async (body) => {
  using upstream = fakeBackend((request) => new Response(request.body.slice()));
  using proxy = startProxyTo(upstream.origin);
  const response = await fetch(`${proxy.origin}/v1/echo?model=m`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body,
  });
  expect([response.status, await response.text()]).toEqual([200, body]);
  const [received] = upstream.received;
  expect(Buffer.from(received!.body).toString()).toBe(body);
  expect(received!.headers.get("content-length")).toBe(String(body.length));
});
