import { describe, expect, test } from "bun:test";
import { readModels } from "../../src/discovery/models.ts";
import { startModelServer } from "../support/discovery.ts";
import { within } from "../support/until.ts";

const LIMITS = { timeoutMs: 200, bytesMax: 10_000 };

async function read(answer: () => Response | Promise<Response>): Promise<string> {
  using server = startModelServer();
  server.answer = answer;
  const models = readModels(
    `http://127.0.0.1:${server.port}/v1`,
    new AbortController().signal,
    LIMITS,
  );
  return JSON.stringify(await within("the models", models));
}

describe("readModels()", () => {
  test("keeps every field as it was sent, numbers to the letter", async () => {
    const data =
      '[{"id":"org/m","created":1.0,"size":12345678901234567890,"meta":{"n":[1e3,null]}}]';
    expect(await read(() => new Response(`{"models":[],"object":"list","data":${data}}`))).toBe(
      data,
    );
  });

  test("skips empty ids and takes the first of two with one id", async () => {
    const data = [{ id: "" }, { id: "a", n: 1 }, { id: "a", n: 2 }];
    expect(await read(() => Response.json({ data }))).toBe('[{"id":"a","n":1}]');
  });

  test.each<[what: string, answer: () => Response | Promise<Response>, reason: string]>([
    ["503 while loading", () => new Response("{}", { status: 503 }), "answered 503"],
    ["401", () => new Response("", { status: 401 }), "answered 401"],
    ["a redirect", () => Response.redirect("/v1/elsewhere", 302), "answered 302"],
    ["HTML", () => new Response("<html>"), 'no list "data"'],
    ["no data", () => Response.json({ object: "list" }), 'no list "data"'],
    ["an id that is no string", () => Response.json({ data: [{ id: 1 }] }), 'no list "data"'],
    ["too much", () => new Response("x".repeat(10_001)), "larger than 10000 bytes"],
    ["silence", () => new Promise<Response>(() => undefined), "within 200 ms"],
  ])("fails on %s", async (_what, answer, reason) => {
    await expect(read(answer)).rejects.toThrow(reason);
  });

  test("fails when nobody listens", async () => {
    await expect(
      readModels("http://127.0.0.1:1/v1", new AbortController().signal),
    ).rejects.toThrow();
  });
});
