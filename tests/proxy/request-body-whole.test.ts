import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { HeldBytes } from "../../src/proxy/held-bytes.ts";
import { readModelField } from "../../src/proxy/request-body.ts";
import { until, within } from "../support/until.ts";

const BODY = '{"model":"m"}';
/** Room for just one such body. */
const LIMIT = BODY.length;

/** Sends a request to a server that reads its model, and then, maybe, hangs up. */
async function verdictOn(held: HeldBytes, request: string, hangUp: boolean): Promise<string> {
  const reading = Promise.withResolvers<void>();
  const read = Promise.withResolvers<string>();
  using server = Bun.serve({
    port: 0,
    fetch: async (received) => {
      reading.resolve();
      const result = await readModelField(received, held).catch(() => undefined);
      if (result?.verdict.kind !== "found") result?.discard();
      read.resolve(result?.verdict.kind ?? "client gone");
      return new Response();
    },
  });
  const socket = connect({ port: server.port!, host: "127.0.0.1" });
  socket.write(request);
  await within("the request", reading.promise);
  if (hangUp) socket.destroy();
  const verdict = await within("the model", read.promise);
  socket.destroy();
  return verdict;
}

function post(body: string, headers = ""): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${BODY.length}\r\n\r\n${body}`;
}

/** Nothing is awaited that has not been counted out. */
function hasRoom(held: HeldBytes): boolean {
  const came = held.expect(LIMIT);
  came?.();
  return came !== undefined;
}

describe("readModelField() of a body that is awaited whole", () => {
  test.each<[what: string, request: string, verdict: string]>([
    ["that comes", post(BODY), "found"],
    ["without a boundary", post(BODY, "Content-Type: multipart/form-data\r\n"), "invalid"],
    ["whose client hangs up", post("{"), "client gone"],
  ])("counts out one %s", async (_what, request, verdict) => {
    const held = new HeldBytes(LIMIT);
    expect(await verdictOn(held, request, verdict === "client gone")).toBe(verdict);
    await until("it is counted out", () => hasRoom(held));
  });

  test("reads it piece by piece where too much is awaited already", async () => {
    const held = new HeldBytes(LIMIT);
    held.expect(LIMIT);
    expect(await verdictOn(held, post(BODY.slice(0, -1)), false)).toBe("found"); // and no more comes
  });
});
