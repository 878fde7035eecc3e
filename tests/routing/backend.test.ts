import { describe, expect, test } from "bun:test";
import type { CloseReason } from "../../src/routing/backend.ts";
import { makeBackend } from "../support/server/backends.ts";
import { within } from "../support/until.ts";

describe("Backend", () => {
  test("acquire() counts a request while active, and refuses after drain() and close()", () => {
    const backend = makeBackend();
    expect(backend.acquire()).toBeDefined();
    expect(backend.inFlight).toBe(1);
    backend.drain();
    expect(backend.acquire()).toBeUndefined();
    backend.close("run-over");
    expect(backend.acquire()).toBeUndefined();
    expect(backend.inFlight).toBe(1);
  });

  test("a lease counts only its first end()", () => {
    const backend = makeBackend();
    const lease = backend.acquire()!;
    backend.acquire();
    lease.end();
    lease.end();
    expect(backend.inFlight).toBe(1);
  });

  test("idle resolves when the last lease ends after drain(), and not earlier", async () => {
    const backend = makeBackend();
    const lease = backend.acquire()!;
    let idle = false;
    const waited = backend.idle.then(() => {
      idle = true;
    });
    backend.drain();
    await Bun.sleep(0); // to prove that it does not resolve
    expect(idle).toBe(false);
    lease.end();
    await within("idle", waited);
  });

  test("idle stays pending while active, even without an open lease", async () => {
    const backend = makeBackend();
    backend.acquire()!.end();
    const first = await Promise.race([
      backend.idle.then(() => "idle"),
      Bun.sleep(5).then(() => "pending"), // to prove that it does not resolve
    ]);
    expect(first).toBe("pending");
  });

  test("drain() and close() abort the signal `left`", () => {
    const drained = makeBackend();
    const closed = makeBackend();
    drained.drain();
    closed.close("run-over");
    expect([drained.left.aborted, closed.left.aborted]).toEqual([true, true]);
  });

  test("state only moves to the right", () => {
    const backend = makeBackend();
    backend.close("run-over");
    backend.drain();
    expect(backend.state).toBe("closed");
  });

  test("close() gives the reason to each open lease, and to no ended one", () => {
    const backend = makeBackend();
    const told: [string, CloseReason][] = [];
    const open = backend.acquire()!;
    const ended = backend.acquire()!;
    open.onClose((why) => told.push(["open", why]));
    ended.onClose((why) => told.push(["ended", why]));
    ended.end();
    backend.close("run-over");
    backend.close("run-over");
    expect(told).toEqual([["open", "run-over"]]);
  });

  test("endEndless() ends only the requests that may never end by themselves", () => {
    const backend = makeBackend();
    const told: string[] = [];
    const [answer, socket, ended] = [backend.acquire()!, backend.acquire()!, backend.acquire()!];
    answer.onClose((why) => told.push(`answer: ${why}`));
    socket.onTimeUp(() => {
      told.push("socket");
      socket.end();
    });
    ended.onTimeUp(() => told.push("ended"));
    ended.end();
    ended.onTimeUp(() => told.push("ended"));
    backend.drain();
    expect(backend.endEndless()).toBe(1);
    expect(backend.endEndless()).toBe(0);
    expect([told, backend.inFlight, backend.state]).toEqual([["socket"], 1, "draining"]);
  });

  test("onTimeUp() calls the listener at once when the time is already over", () => {
    const backend = makeBackend();
    const lease = backend.acquire()!;
    backend.drain();
    expect(backend.endEndless()).toBe(0);
    let isTold = false;
    lease.onTimeUp(() => {
      isTold = true;
    });
    expect(isTold).toBe(true);
  });

  test("onClose() calls the listener at once when the backend is already closed", () => {
    const backend = makeBackend();
    const lease = backend.acquire()!;
    backend.close("cut");
    const told: CloseReason[] = [];
    lease.onClose((why) => told.push(why));
    expect(told).toEqual(["cut"]);
  });
});
