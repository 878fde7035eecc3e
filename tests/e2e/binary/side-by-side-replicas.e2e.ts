/** Two compiled binaries on one fake engine with replicas. Each balances the requests that it sees. */
import { describe, expect, test } from "bun:test";
import { outcomeOf } from "../../support/client/load.ts";
import { SharedServers } from "../../support/proxy/side-by-side-servers.ts";
import { until } from "../../support/until.ts";

/**
 * In one proxy a replica may have at most twice the requests of the idlest one, plus this many: 8 before the limit
 * applies, and one that arrived then.
 */
const GUARD_PLUS = 9;

/** A prompt that the proxy remembers: 4.5 KiB, which count as half as much load as a request until the answer. */
const PROMPT = "a prompt that all of them have ".repeat(150);

/** Does not answer before the test opens it. */
class Gate {
  readonly #opened = Promise.withResolvers<void>();

  readonly open = (): void => this.#opened.resolve();
  readonly answer = async (): Promise<Response> => {
    await this.#opened.promise;
    return Response.json({});
  };
}

async function expectAllFine(answers: readonly Promise<Response>[]): Promise<void> {
  for (const answer of answers) expect((await answer).status).toBe(200);
}

function extremes({ counts }: SharedServers): readonly [most: number, least: number] {
  return [Math.max(...counts), Math.min(...counts)];
}

describe("the requests of both proxies together", () => {
  test("spread evenly, except for one request in each proxy", async () => {
    const gate = new Gate();
    await using shared = await SharedServers.start({ count: 4, answerOf: () => gate.answer });
    const answers = await shared.fill(80, (nth) => `hello ${nth}`);
    const [most, least] = extremes(shared);
    expect(most - least).toBeLessThanOrEqual(2);
    gate.open();
    await expectAllFine(answers);
  });

  test("go to the replica that knows their prompt, until that replica is too busy for each proxy", async () => {
    const gate = new Gate();
    await using shared = await SharedServers.start({ count: 4, answerOf: () => gate.answer });
    const few = await shared.fill(12, () => PROMPT);
    expect(shared.counts.filter((count) => count > 0).length).toBeLessThanOrEqual(2); // one for each proxy
    const many = await shared.fill(108, () => PROMPT);
    const [most, least] = extremes(shared);
    expect(most).toBeLessThanOrEqual(2 * (least + 1) + 2 * GUARD_PLUS);
    expect(least).toBeGreaterThan(20); // of 30
    gate.open();
    await expectAllFine([...few, ...many]);
  });

  test("avoid a replica that does not answer: it gets one request of each proxy, of 100", async () => {
    const gate = new Gate();
    await using shared = await SharedServers.start({
      count: 3,
      answerOf: (nth) => (nth === 1 ? gate.answer : () => Response.json({})),
    });
    let answered = 0;
    const answers: Promise<Response>[] = [];
    for (let nth = 0; nth < 100; nth += 1) {
      const answer = shared.chat(nth, "hello");
      answers.push(answer);
      void answer.then(() => {
        answered += 1;
      });
      await until(
        "the request is answered or stuck",
        () => answered + (shared.counts[1] ?? 0) > nth,
      );
    }
    expect([answered, shared.counts[1]]).toEqual([98, 2]);
    gate.open();
    await expectAllFine(answers);
  });
});

test("inference.max_in_flight applies in each proxy, so two proxies let twice as many requests through", async () => {
  const gate = new Gate();
  const labels = { "inference.max_in_flight": "2" };
  await using shared = await SharedServers.start({ count: 1, answerOf: () => gate.answer, labels });
  const answers = await shared.fill(4, () => "hello");
  for (const { origin } of shared.side.proxies) {
    expect(await outcomeOf(origin, "m")).toBe("429 backend_saturated");
  }
  gate.open();
  await expectAllFine(answers);
});
