/** Requests that may never end by themselves, when an operator drains their container, on a fake engine. */
import { expect, test } from "bun:test";
import type { Lease } from "../../src/routing/backend.ts";
import { FakeEngine } from "../support/engine/fake.ts";
import type { FakeContainer } from "../support/engine/replies.ts";
import {
  type Discovery,
  leaseOf,
  startDiscovery,
  startModelServer,
  stateOf,
  untilKind,
  untilState,
} from "../support/proxy/discovery.ts";
import { expectNever, until } from "../support/until.ts";

const TIME_UP = "drain timeout expired";
const DRAIN_TIMEOUT_MS = 60;
/** Longer than the drain timeout. */
const LONGER_MS = 120;

/** A routed container with an answer and a WebSocket in flight. */
class Rig implements Disposable {
  readonly #stack: DisposableStack;
  readonly fake: FakeEngine;
  readonly container: FakeContainer;
  readonly discovery: Discovery;
  /** What has ended, in order. */
  readonly ended: string[] = [];

  private constructor(fake: FakeEngine, stack: DisposableStack) {
    this.fake = fake;
    const models = stack.use(startModelServer("m"));
    this.container = fake.add({ port: models.port, name: "vllm" });
    this.discovery = stack.use(startDiscovery(fake, { drainTimeoutMs: DRAIN_TIMEOUT_MS }));
    this.#stack = stack;
  }

  static async start(): Promise<Rig> {
    using stack = new DisposableStack();
    const rig = new Rig(stack.use(await new FakeEngine().start()), stack.move());
    await untilKind(rig.discovery, "live");
    rig.answer();
    rig.socket();
    return rig;
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  answer(): Lease {
    const lease = leaseOf(this.discovery);
    lease.onClose((reason) => this.#end(lease, `answer: ${reason}`));
    return lease;
  }

  socket(): Lease {
    const lease = leaseOf(this.discovery);
    lease.onClose((reason) => this.#end(lease, `socket: ${reason}`));
    lease.onTimeUp(() => this.#end(lease, "socket: time up"));
    return lease;
  }

  drain(): void {
    expect(this.discovery.fleet.drains.drain("vllm")).toMatchObject({ kind: "done" });
  }

  undrain(): void {
    expect(this.discovery.fleet.drains.undrain("vllm")).toMatchObject({ kind: "done" });
  }

  untilEnded(count: number): Promise<void> {
    return until(`${count} have ended`, () => this.ended.length >= count);
  }

  expectNoneEnds(): Promise<void> {
    return expectNever("one ends", () => this.ended.length > 0, LONGER_MS);
  }

  #end(lease: Lease, how: string): void {
    this.ended.push(how);
    lease.end();
  }
}

test("drain ends WebSockets after the drain timeout, but not answers", async () => {
  using rig = await Rig.start();
  const startMs = performance.now();
  rig.drain();
  await rig.discovery.docker.resync(); // each sighting is drained
  await rig.untilEnded(1);
  expect(performance.now() - startMs).toBeGreaterThan(DRAIN_TIMEOUT_MS - 2);
  expect(rig.ended).toEqual(["socket: time up"]);
  expect(rig.discovery.log.lines.filter(({ message }) => message === TIME_UP)).toMatchObject([
    { level: "warn", container: "vllm", websockets_cut: 1 },
  ]);
  expect(rig.discovery.fleet.drains.drain("vllm")).toMatchObject({ inFlight: 1, isNew: false });
  await expectNever("the answer is cut", () => rig.ended.length > 1, LONGER_MS);
  expect(stateOf(rig.discovery, rig.container)).toBe("drained");
});

test("drain without a WebSocket logs no drain timeout", async () => {
  using fake = await new FakeEngine().start();
  using models = startModelServer("m");
  fake.add({ port: models.port, name: "vllm" });
  using discovery = startDiscovery(fake, { drainTimeoutMs: 10 });
  await untilKind(discovery, "live");
  const lease = leaseOf(discovery);
  discovery.fleet.drains.drain("vllm");
  await expectNever("it is logged", () => discovery.log.count(TIME_UP) > 0, 40);
  lease.end();
});

test("undrain in time keeps WebSockets; the next drain starts the timeout again", async () => {
  using rig = await Rig.start();
  rig.drain();
  rig.undrain();
  await rig.expectNoneEnds();
  rig.socket();
  rig.drain();
  await rig.untilEnded(2);
  expect(rig.ended).toEqual(["socket: time up", "socket: time up"]);
});

test("undrain of an unhealthy container keeps WebSockets too", async () => {
  using rig = await Rig.start();
  rig.drain();
  rig.fake.setHealth(rig.container, "unhealthy");
  await rig.discovery.docker.resync();
  rig.undrain();
  expect(stateOf(rig.discovery, rig.container)).toBe("unhealthy");
  await rig.expectNoneEnds();
});

test.each(["unhealthy", "paused"])(
  "a container that is only %s ends no WebSocket",
  async (what) => {
    using rig = await Rig.start();
    if (what === "paused") rig.container.status = "paused";
    rig.fake.setHealth(rig.container, "unhealthy");
    await untilState(rig.discovery, rig.container, what);
    await rig.expectNoneEnds();
  },
);

test("a stop of a drained container: the timeout counts from the drain for WebSockets, from the stop for answers", async () => {
  using rig = await Rig.start();
  rig.drain();
  await rig.untilEnded(1);
  rig.fake.kill(rig.container);
  await rig.untilEnded(2);
  expect(rig.ended).toEqual(["socket: time up", "answer: cut"]);
});

test("the end of the run ends all requests, and none is counted twice", async () => {
  using rig = await Rig.start();
  rig.drain();
  rig.fake.exit(rig.container);
  await rig.untilEnded(2);
  await expectNever("it is logged", () => rig.discovery.log.count(TIME_UP) > 0, LONGER_MS);
  expect(rig.ended).toEqual(["answer: run-over", "socket: run-over"]);
});
