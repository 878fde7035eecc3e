/**
 * The compiled binary in front of a fake engine with replicas of one model. The test writes every byte of
 * them.
 */
import { expect } from "bun:test";
import { parseHead, parseMessage } from "../client/http-message.ts";
import { rawConnect } from "../client/raw-http.ts";
import { envOf, FakeEngine } from "../engine/fake.ts";
import type { FakeContainer } from "../engine/replies.ts";
import { type Arrival, answer, WireServer } from "../server/wire-server.ts";
import { until } from "../until.ts";
import { type CompiledProxy, startCompiled } from "./compiled.ts";
import { untilShown } from "./shown-status.ts";

/** Called for each request that reaches a server. @param nth from 0, since the last `play` */
export type Reaction = (arrival: Arrival, nth: number) => void;

export type Reply = {
  /** 0 if the connection broke off before a complete head. */
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: string;
  /** Whether the answer is complete. */
  readonly complete: boolean;
};

type Labels = Readonly<Record<string, string>>;

type Ask = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly string[];
  /** Without it, the request has no body. */
  readonly body?: string;
  /** Sends the body without a length, in one chunk. */
  readonly chunked?: boolean;
};

type Options = {
  /** More labels than port and enabling. `inference.replica` by default. */
  readonly labels?: Labels | ((nth: number) => Labels);
  /** The entries of the servers' model lists. */
  readonly models?: readonly object[] | ((nth: number) => readonly object[]);
  /** Environment variables of the proxy. */
  readonly env?: Readonly<Record<string, string>>;
};

export const CHAT = '{"model":"m","messages":[{"role":"user","content":"hello"}]}';

export class CompiledReplicas implements AsyncDisposable {
  readonly engine: FakeEngine;
  readonly proxy: CompiledProxy;
  /** The last one is the newest. */
  readonly servers: readonly WireServer[];
  readonly #containers: ReadonlyMap<WireServer, FakeContainer>;
  readonly #stack: AsyncDisposableStack;
  readonly #stage: Stage;

  private constructor(
    parts: Pick<CompiledReplicas, "engine" | "proxy" | "servers">,
    containers: ReadonlyMap<WireServer, FakeContainer>,
    stage: Stage,
    stack: AsyncDisposableStack,
  ) {
    ({ engine: this.engine, proxy: this.proxy, servers: this.servers } = parts);
    this.#containers = containers;
    this.#stage = stage;
    this.#stack = stack;
  }

  /** Resolves when all are routed. The numbers begin with 1, the oldest. */
  static async start(count: number, options: Options = {}): Promise<CompiledReplicas> {
    const { labels = { "inference.replica": "true" }, models = [{ id: "m" }] } = options;
    await using stack = new AsyncDisposableStack();
    const engine = stack.use(await new FakeEngine().start());
    const stage = new Stage();
    const containers = new Map<WireServer, FakeContainer>();
    for (let n = 1; n <= count; n += 1) {
      const list = typeof models === "function" ? models(n) : models;
      const server = await new WireServer(`replica-${n}`, list, stage.onArrival).start();
      stack.use(server);
      const own = typeof labels === "function" ? labels(n) : labels;
      const all = { "inference.enable": "true", "inference.port": String(server.port), ...own };
      const startedAtMs = engine.nowMs() - 10_000 + n;
      containers.set(server, engine.add({ name: server.name, labels: all, startedAtMs }));
    }
    const proxy = stack.use(await startCompiled({ env: { ...envOf(engine), ...options.env } }));
    const servers = [...containers.keys()];
    for (const { name } of servers) await untilShown(proxy.origin, name, { state: "routed" });
    return new CompiledReplicas({ engine, proxy, servers }, containers, stage, stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  containerOf(server: WireServer): FakeContainer {
    return this.#containers.get(server)!;
  }

  get newest(): WireServer {
    return this.servers.at(-1)!;
  }

  /** Sets the reaction of all servers. @returns all later requests to the servers, in order */
  play(reaction: Reaction): readonly Arrival[] {
    return this.#stage.play(reaction);
  }

  /** Sends a request, and reads the answer until the connection ends. */
  async ask({ method = "POST", path = "/v1/chat/completions", ...more }: Ask = {}): Promise<Reply> {
    const { headers = [], chunked = false } = more;
    const body = more.body ?? (method === "POST" ? CHAT : undefined);
    const lines = [`${method} ${path} HTTP/1.1`, "Host: proxy.test", "Connection: close"];
    if (chunked) lines.push("Transfer-Encoding: chunked");
    else if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
    using client = await rawConnect(this.proxy.port);
    const sent = chunked ? `${body?.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : (body ?? "");
    client.send(`${[...lines, ...headers].join("\r\n")}\r\n\r\n${sent}`);
    await until(`${method} ${path} is answered`, client.closed, 10_000);
    return replyOf(client.received(), method);
  }

  /** Makes each server answer a request, so that the proxy has an idle connection to each. */
  async warmUp(answerAll: Reaction): Promise<void> {
    const arrivals = this.play(answerAll);
    const missing = (): boolean => new Set(namesOf(arrivals)).size < this.servers.length;
    for (let asked = 0; missing(); asked += 1) {
      if (asked > 10 * this.servers.length) throw new Error("Cannot reach every replica");
      await this.ask();
    }
  }
}

/** Keeps the requests to the servers, and passes them to the test. */
class Stage {
  #arrivals: Arrival[] = [];
  #reaction: Reaction | undefined;

  readonly onArrival = (arrival: Arrival): void => {
    this.#arrivals.push(arrival);
    this.#reaction?.(arrival, this.#arrivals.length - 1);
  };

  play(reaction: Reaction): readonly Arrival[] {
    this.#arrivals = [];
    this.#reaction = reaction;
    return this.#arrivals;
  }
}

export function namesOf(arrivals: readonly Arrival[]): readonly string[] {
  return arrivals.map(({ server }) => server.name);
}

function replyOf(received: string, method: string): Reply {
  const bytes = Buffer.from(received, "latin1");
  const head = parseHead(bytes);
  if (head === undefined) return { status: 0, headers: new Map(), body: "", complete: false };
  // The answer to HEAD has the length of a body that is not sent.
  const message = method === "HEAD" ? undefined : parseMessage(bytes);
  const rest = received.slice(head.length);
  return {
    status: Number(head.start.split(" ")[1]),
    headers: head.headers,
    body: message?.body.toString("latin1") ?? rest,
    complete: method === "HEAD" ? rest === "" : message !== undefined,
  };
}

/** @returns for how many ms a replica that answered this refusal gets no requests */
export async function cooledMs(refusal: string): Promise<number> {
  await using two = await CompiledReplicas.start(2);
  let busyMs = 0;
  let backMs = 0;
  two.play(({ server, send }) => {
    if (server !== two.newest) return send(answer(200, {}, "fine"));
    if (busyMs > 0) backMs ||= performance.now();
    busyMs ||= performance.now();
    return send(backMs > 0 ? answer(200, {}, "fine") : refusal);
  });
  const isBack = async (): Promise<boolean> => {
    expect(await two.ask()).toMatchObject({ status: 200, body: "fine" });
    return backMs > 0;
  };
  await until("the replica gets a request again", isBack, 10_000);
  return backMs - busyMs;
}
