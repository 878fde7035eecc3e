/** Two compiled binaries on one fake engine with replicas: each balances the requests that it sees. */
import { describe, expect, test } from "bun:test";
import { outcomeOf } from "../../support/client/load.ts";
import { SharedServers } from "../../support/proxy/side-by-side-servers.ts";
import { until } from "../../support/until.ts";

/** How many more than twice those of the idlest a replica may have in one proxy: 8 for the guard, and one that came then. */
const GUARD_PLUS = 9;

/** A prompt to be remembered: 4.5 KiB, which are half as much load as a request until it is answered. */
const PROMPT = "a prompt that all of them have ".repeat(150);

/** Answers nothing before it is opened. */
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
  test("spread evenly, but for one that each may be off", async () => {
    const gate = new Gate();
    await using shared = await SharedServers.start({ count: 4, answerOf: () => gate.answer });
    const answers = await shared.fill(80, (nth) => `hello ${nth}`);
    const [most, least] = extremes(shared);
    expect(most - least).toBeLessThanOrEqual(2);
    gate.open();
    await expectAllFine(answers);
  });

  test("go to who knows their prompt, until that one is too busy for each of them", async () => {
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

  test("avoid a replica that does not answer: it has one of each proxy, of 100", async () => {
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
      await until("it is answered, or stuck", () => answered + (shared.counts[1] ?? 0) > nth);
    }
    expect([answered, shared.counts[1]]).toEqual([98, 2]);
    gate.open();
    await expectAllFine(answers);
  });
});

test("inference.max_in_flight holds for each proxy: two let twice as many through", async () => {
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
