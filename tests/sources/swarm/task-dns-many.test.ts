import { expect, test } from "bun:test";
import { TaskDns } from "../../../src/sources/swarm/task-dns.ts";
import { expectNever, until } from "../../support/until.ts";

/** A resolver that answers when the test says so. */
function rig() {
  const asked: string[] = [];
  const told: string[] = [];
  const open = new Map<string, PromiseWithResolvers<readonly string[]>>();
  const dns = new TaskDns(
    (id, addresses) => told.push(`${id} ${addresses.join(",")}`),
    (name) => {
      asked.push(name);
      const answer = Promise.withResolvers<readonly string[]>();
      open.set(name, answer);
      return answer.promise;
    },
  );
  return { asked, told, open, dns };
}

function services(count: number): { readonly id: string; readonly name: string }[] {
  return Array.from({ length: count }, (_, n) => ({ id: `id-${n}`, name: `s${n}` }));
}

test("sends one query at a time for each service by name, and reports only answers with addresses", async () => {
  const { asked, told, open, dns } = rig();
  dns.ask(services(2));
  dns.ask(services(2));
  expect(asked).toEqual(["tasks.s0", "tasks.s1"]);
  open.get("tasks.s0")?.resolve(["10.0.0.1", "10.0.0.2"]);
  open.get("tasks.s1")?.reject(new Error("ENOTFOUND"));
  await until("the answer is reported", () => told.length === 1);
  expect(told).toEqual(["id-0 10.0.0.1,10.0.0.2"]);
  await until("both are queried again", () => {
    dns.ask(services(2));
    return asked.length === 4;
  });
});

test("each of many services gets its turn, with at most 64 queries at once", async () => {
  const { asked, open, dns } = rig();
  const turn = async (): Promise<void> => {
    const before = [...open];
    open.clear();
    for (const [, answer] of before) answer.resolve([]);
    await until("others are queried", () => open.size > 0);
  };
  dns.ask(services(200));
  expect(asked).toHaveLength(64);
  for (let n = 0; n < 4; n += 1) {
    await turn();
    dns.ask(services(200));
    expect(open.size).toBeLessThanOrEqual(64);
  }
  expect(new Set(asked).size).toBe(200);
  // No service is queried twice before all others were queried.
  expect(new Set(asked.slice(0, 200)).size).toBe(200);
});

test("a waiting service that is gone is no longer queried", async () => {
  const { asked, open, dns } = rig();
  dns.ask(services(65));
  dns.ask(services(64));
  for (const answer of open.values()) answer.resolve([]);
  await expectNever("the last one is asked about", () => asked.includes("tasks.s64"), 20);
});
