import { describe, expect, test } from "bun:test";
import { askingOf, mayRepeat, readTo } from "../../src/proxy/asking.ts";
import type { Told } from "../../src/proxy/body/read-result.ts";
import { ResponseIds } from "../../src/proxy/response-ids.ts";
import { splitTarget } from "../../src/proxy/target.ts";
import { makeBackend } from "../support/server/backends.ts";

const NOTHING: Told = { hasConversation: false, mayBeBackground: false };

function targetOf(path: string): ReturnType<typeof splitTarget> {
  return splitTarget(`http://proxy${path}`);
}

test.each<[path: string, isShared: boolean, to: string]>([
  ["/v1/responses", false, "model"],
  ["/v1/chat/completions", false, "model"],
  ["/v1/chat/completions", true, "prompt"],
  ["/v1/responses", true, "object"],
  ["/v1/responses/compact", true, "object"],
  ["/v1/responses2", true, "prompt"],
])("readTo(%p), shared %p: %s", (path, isShared, to) => {
  expect(readTo(targetOf(path), isShared)).toBe(to as "model");
});

describe("askingOf()", () => {
  const maker = makeBackend();
  const responses = new ResponseIds(() => true);
  responses.reader(maker)(Buffer.from('{"id":"resp_1"'));
  const told: Told = { ...NOTHING, previousResponseId: "resp_1" };

  test("passes the prompt on", () => {
    const prompt = Buffer.from("[]");
    expect(askingOf(targetOf("/v1/x"), { ...NOTHING, prompt }, responses).prompt).toBe(prompt);
  });

  test("finds the server that made the response that a request continues", () => {
    expect(askingOf(targetOf("/v1/responses"), told, responses).madeBy).toEqual(maker.run);
    expect(askingOf(targetOf("/v1/chat/completions"), told, responses).madeBy).toBeUndefined();
    const unknown = { ...NOTHING, previousResponseId: "resp_2" };
    expect(askingOf(targetOf("/v1/responses"), unknown, responses).madeBy).toBeUndefined();
  });

  test.each<[path: string, told: Partial<Told>, goesToNewest: boolean]>([
    ["/v1/files", {}, true],
    ["/v1/files/f/content", {}, true],
    ["/v1/batches", {}, true],
    ["/v1/conversations/c/items", {}, true],
    ["/v1/vector_stores", {}, true],
    ["/v1/load_lora_adapter", {}, true],
    ["/v1/responses", { hasConversation: true }, true],
    ["/v1/responses", {}, false],
    ["/v1/chat/completions", { hasConversation: true }, false],
  ])("%s with %p goes to the newest: %p", (path, more, goesToNewest) => {
    const asking = askingOf(targetOf(path), { ...NOTHING, ...more }, responses);
    expect(asking.goesToNewest).toBe(goesToNewest);
  });
});

test.each<[method: string, path: string, told: Partial<Told>, may: boolean]>([
  ["POST", "/v1/chat/completions", {}, true],
  ["POST", "/v1/chat/completions", { mayBeBackground: true }, true],
  ["POST", "/v1/responses", {}, true],
  ["POST", "/v1/responses", { mayBeBackground: true }, false],
  ["POST", "/v1/responses/resp_1/cancel", {}, false],
  ["POST", "/v1/files", {}, false],
  ["POST", "/v1/batches", {}, false],
  ["POST", "/v1/load_lora_adapter", {}, false],
  ["POST", "/v1/unknown", {}, false],
  ["DELETE", "/v1/responses", {}, false],
  ["PUT", "/v1/chat/completions", {}, false],
  ["GET", "/v1/chat/completions", {}, false],
])("mayRepeat() %s %s with %p: %p", (method, path, more, may) => {
  const told = { ...NOTHING, ...more };
  expect(mayRepeat({ method }, targetOf(path), { told, wasRead: true })).toBe(may);
});

test("mayRepeat() treats a request for a response as a background one if its body was not read", () => {
  const unread = { told: NOTHING, wasRead: false };
  expect(mayRepeat({ method: "POST" }, targetOf("/v1/responses"), unread)).toBe(false);
  expect(mayRepeat({ method: "POST" }, targetOf("/v1/chat/completions"), unread)).toBe(true);
});
