/**
 * Prompts through the compiled binary in front of replicas: a request
 * goes to the replica that has seen the start of its prompt.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CompiledReplicas, namesOf, type Reaction } from "../../support/proxy/compiled-replicas.ts";
import { answer } from "../../support/server/wire-server.ts";

const FINE: Reaction = ({ send }) => send(answer(200, {}, "fine"));

let replicas: CompiledReplicas;

beforeAll(async () => {
  replicas = await CompiledReplicas.start(3);
});

afterAll(async () => {
  await replicas[Symbol.asyncDispose]();
});

/**
 * Messages of a conversation with a unique beginning. Each turn has 2.5 KB or more, in ASCII, because `ask`
 * sends one byte a character.
 */
function conversation(topic: string, turns: number): string {
  const texts = Array.from({ length: turns }, (_, n) => `${topic} ${n} \\u00e4\\n`.repeat(150));
  return texts.map((text) => `{"role":"user","content":"${text}"}`).join(",");
}

let count = 0;

/** Sends a conversation turn by turn. @returns the replicas that got the turns, in order */
async function takersOf(path: string, bodyOf: (messages: string, turn: number) => string) {
  count += 1;
  const topic = `topic ${count} of ${crypto.randomUUID()}`;
  const arrivals = replicas.play(FINE);
  for (let turn = 2; turn <= 9; turn += 1) {
    const body = bodyOf(conversation(topic, turn), turn);
    expect(await replicas.ask({ path, body })).toMatchObject({ status: 200, body: "fine" });
    expect(arrivals.at(-1)?.request.body.toString()).toBe(body);
  }
  return namesOf(arrivals);
}

const CHATS = "/v1/chat/completions";

describe("the turns of a conversation go to one replica", () => {
  test.each<[string, string, (messages: string, turn: number) => string]>([
    ["the model first", CHATS, (messages) => `{"model":"m","messages":[${messages}]}`],
    ["the model last", CHATS, (messages) => `{"messages":[${messages}],"model":"m"}`],
    [
      "long fields before both, different in each turn",
      "/v1/messages",
      (messages, turn) =>
        `{"system":"${`nonce ${turn} `.repeat(2_000)}","model":"m","tools":[{"messages":[${turn}]}],"messages":[${messages}],"stream":true}`,
    ],
    ["with spaces", CHATS, (messages) => `\n{ "model" : "m",\n"messages" : [ ${messages} ] }\n`],
    ["a text as input", "/v1/responses", (text) => `{"model":"m","input":${JSON.stringify(text)}}`],
    ["items as input", "/v1/responses", (messages) => `{"input":[${messages}],"model":"m"}`],
    ["a prompt", "/v1/completions", (text) => `{"prompt":${JSON.stringify(text)},"model":"m"}`],
  ])("%s (%s)", async (_where, path, bodyOf) => {
    const takers = await takersOf(path, bodyOf);
    expect(new Set(takers).size).toBe(1);
  });
});

test("three conversations spread over the replicas", async () => {
  const all = [];
  for (let n = 0; n < 3; n += 1) {
    all.push(...(await takersOf(CHATS, (messages) => `{"model":"m","messages":[${messages}]}`)));
  }
  expect(new Set(all).size).toBe(3);
});

test("prompts that share less than half of their length spread over the replicas", async () => {
  const arrivals = replicas.play(FINE);
  const common = conversation("a system prompt", 1);
  for (let n = 0; n < 9; n += 1) {
    const body = `{"model":"m","messages":[${common},${conversation(crypto.randomUUID(), 2)}]}`;
    await replicas.ask({ body });
  }
  expect(new Set(namesOf(arrivals)).size).toBe(3);
});

test("when the replica that knows a conversation is gone, one other replica continues it", async () => {
  await using three = await CompiledReplicas.start(3);
  const arrivals = three.play(FINE);
  const ask = async (turns: number): Promise<string> => {
    const body = `{"model":"m","messages":[${conversation("a talk", turns)}]}`;
    expect((await three.ask({ body })).status).toBe(200);
    return arrivals.at(-1)!.server.name;
  };
  const first = await ask(2);
  expect(await ask(3)).toBe(first);
  const server = arrivals[0]!.server;
  server.die();
  three.engine.exit(three.containerOf(server));
  const next = await ask(4);
  expect(next).not.toBe(first);
  for (let turns = 5; turns < 10; turns += 1) expect(await ask(turns)).toBe(next);
});

test("a long or chunked body, which the proxy streams, arrives unchanged", async () => {
  const arrivals = replicas.play(FINE);
  const long = `{"model":"m","messages":[${conversation("a long talk", 700)}]}`;
  expect(long.length).toBeGreaterThan(1_100_000);
  for (const body of [long, `{"messages":[${conversation("x", 700)}],"model":"m"}`]) {
    for (const chunked of [false, true]) {
      expect((await replicas.ask({ body, chunked })).status).toBe(200);
      expect(arrivals.at(-1)!.request.body.toString() === body).toBe(true);
    }
  }
});
