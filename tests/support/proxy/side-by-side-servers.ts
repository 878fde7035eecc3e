/** Servers whose answers the test writes, behind two compiled proxies on one fake engine. */
import { post } from "../client/requests.ts";
import { fakeBackend } from "../server/scripted.ts";
import { until } from "../until.ts";
import { SideBySide } from "./side-by-side.ts";

/** Makes a server's answer to every request except the one for its models. */
export type Answer = NonNullable<Parameters<typeof fakeBackend>[0]>;

type Options = {
  /** How many servers there are. */
  readonly count: number;
  /** @param nth from 0, the oldest */
  readonly answerOf: (nth: number) => Answer;
  /** The labels of all servers. `inference.replica` by default. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `m` by default. */
  readonly modelOf?: (nth: number) => string;
};

export class SharedServers implements AsyncDisposable {
  readonly side: SideBySide;
  /** How many requests each server has received, the oldest first. */
  readonly counts: readonly number[];
  readonly #stack: AsyncDisposableStack;

  private constructor(side: SideBySide, counts: readonly number[], stack: AsyncDisposableStack) {
    this.side = side;
    this.counts = counts;
    this.#stack = stack;
  }

  /** Resolves when both proxies route all servers. */
  static async start(options: Options): Promise<SharedServers> {
    const { count, answerOf, labels = { "inference.replica": "true" } } = options;
    await using stack = new AsyncDisposableStack();
    const side = stack.use(await SideBySide.start());
    const counts = Array.from({ length: count }, () => 0);
    for (const nth of counts.keys()) {
      const answer = answerOf(nth);
      const models = { data: [{ id: options.modelOf?.(nth) ?? "m" }] };
      const { origin } = stack.use(
        fakeBackend((request) => {
          if (request.target === "/v1/models") return Response.json(models);
          counts[nth]! += 1;
          return answer(request);
        }),
      );
      const name = `server-${nth}`;
      const startedAtMs = side.engine.nowMs() - 10_000 + nth;
      const container = side.add(Number(new URL(origin).port), { name, labels, startedAtMs });
      side.engine.emit(container, "start");
      await side.untilBothShow(name, { state: "routed" });
    }
    return new SharedServers(side, counts, stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** How many requests all servers have received. */
  get count(): number {
    return this.counts.reduce((all, one) => all + one, 0);
  }

  /** Sends a chat over one of the proxies: even numbers over one, odd numbers over the other. */
  chat(nth: number, content: string): Promise<Response> {
    const { origin } = this.side.proxies[nth % 2 === 0 ? 0 : 1];
    const messages = [{ role: "user", content }];
    return post(origin, "/v1/chat/completions", { model: "m", messages });
  }

  /** Sends chats over both proxies. Resolves when all have reached the servers, which hold them. */
  async fill(
    count: number,
    content: (nth: number) => string,
  ): Promise<readonly Promise<Response>[]> {
    const expected = this.count + count;
    const answers = Array.from({ length: count }, (_, nth) => this.chat(nth, content(nth)));
    await until("all requests have reached the servers", () => this.count === expected, 10_000);
    return answers;
  }
}
