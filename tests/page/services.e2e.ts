/** How the page shows a swarm: its services, their tasks, and whether the proxy follows them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Status, SwarmStatus } from "../../src/status.ts";
import { violations } from "../support/browser/axe.ts";
import { type Browser, NARROW, startBrowser, WIDE } from "../support/browser/browser.ts";
import {
  container,
  MINUTE,
  model,
  quietStatus,
  timeAgo,
} from "../support/browser/made-up-status.ts";
import { openStatus, row, type ShownPage, text, texts } from "../support/browser/reading.ts";
import { ScriptedProxy } from "../support/browser/scripted-proxy.ts";
import { service, swarm, task } from "../support/proxy/swarm-status.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(async () => browser[Symbol.asyncDispose]());

const ROOM = "no suitable node (insufficient resources on 3 nodes)";
const TASKS = [
  task({ name: "ai_llm.1" }),
  task({ name: "ai_llm.2", node: "gpu_2" }),
  task({ name: "ai_llm.3", node: null, state: "pending", reason: ROOM }),
];
const LLM = service({
  ...{ name: "ai_llm", tasks: TASKS, routed: 2, update: "updating 2 of 3" },
  reason: `1 task is pending: ${ROOM}; free a GPU, or want fewer`,
});
const EMBED = service({ name: "ai_embed", tasks: [task({ name: "ai_embed.1" })] });

function statusWith(seen: SwarmStatus | null, more: Partial<Status> = {}): Status {
  const running = [...TASKS.slice(0, 2), ...EMBED.tasks];
  return quietStatus({
    containers: running.map(({ id, name }) => container({ id, name })),
    models: [model({ id: "m", servers: [{ container: "ai_llm.1", gets: "all" }] })],
    swarm: seen,
    ...more,
  });
}

function followed(...services: SwarmStatus["services"]): SwarmStatus {
  return swarm(services, { since: timeAgo(3 * MINUTE) });
}

const open = (status: Status): Promise<ShownPage> => openStatus(browser, status);

test("a service shows its routed tasks, its update, why tasks are missing, and their nodes", async () => {
  using shown = await open(statusWith(followed(EMBED, LLM)));
  const { page } = shown;
  expect(await text(page.locator("#services-sum"))).toBe("2");
  expect(await text(page.locator("#services-sum + p"))).toBe("followed for 3 min");
  const llm = row(page, "services", "ai_llm");
  expect(await text(llm)).toStartWith("ai_llm 2 of 3 routed updating 2 of 3 1 task is pending:");
  expect(await texts(llm.locator(".servers li"))).toEqual([
    `ai_llm.3 pending · no node yet: ${ROOM}`,
    "ai_llm.1 routed · on gpu-1",
    "ai_llm.2 routed · on gpu_2",
  ]);
  const embed = row(page, "services", "ai_embed");
  expect(await text(embed)).toBe("ai_embed 1 of 1 routed ai_embed.1 routed · on gpu-1");
  await llm.getByRole("link", { name: "ai_llm.2" }).click();
  expect(await text(page.locator("#boxes > li:target h3"))).toBe("ai_llm.2");
  expect(await page.getByRole("region", { name: "Services" }).count()).toBe(1);
});

test("the section appears only with a swarm, and never for an older proxy", async () => {
  const { swarm: _, ...older } = statusWith(null);
  using shown = await open(older as Status);
  const { page, proxy } = shown;
  const heading = page.getByRole("heading", { name: "Services", exact: true });
  expect(await heading.count()).toBe(0);
  proxy.status = statusWith(followed(LLM));
  await heading.waitFor({ timeout: 4_000 });
  expect(await text(row(page, "services", "ai_llm"))).toContain("2 of 3 routed");
  proxy.status = statusWith(null);
  await heading.waitFor({ state: "hidden", timeout: 4_000 });
});

test("the section updates, and keeps its DOM nodes", async () => {
  using shown = await open(statusWith(followed(LLM)));
  const { page, proxy } = shown;
  const before = await row(page, "services", "ai_llm").elementHandle();
  const third = { ...task({ name: "ai_llm.3", node: "gpu-3" }), state: "starting" };
  const tasks = [...TASKS.slice(0, 2), third];
  proxy.status = statusWith(followed({ ...LLM, tasks, update: "rollback", reason: "" }));
  await page.getByText("rollback").waitFor({ timeout: 4_000 });
  const llm = row(page, "services", "ai_llm");
  expect(await texts(llm.locator(".servers li"))).toContain("ai_llm.3 starting · on gpu-3");
  expect(await llm.evaluate((node, old) => node === old, before)).toBe(true);
  proxy.status = statusWith(followed({ ...LLM, tasks, routed: 3, update: null, reason: "" }));
  await page.getByText("3 of 3 routed").waitFor({ timeout: 4_000 });
  expect(await page.getByText("rollback").isVisible()).toBe(false);
});

test("the page tells two tasks in one slot apart: the old one drains while the new one starts", async () => {
  const [old, fresh] = ["old", "new"].map((id) => task({ id, name: "ai_llm.1", node: id }));
  const both = followed(service({ name: "ai_llm", replicas: 1, routed: 1, tasks: [old!, fresh!] }));
  using shown = await open(
    statusWith(both, {
      containers: [
        container({ id: "old", name: "ai_llm.1", state: "stopping" }),
        container({ id: "new", name: "ai_llm.1" }),
      ],
    }),
  );
  const { page } = shown;
  const items = row(page, "services", "ai_llm").locator(".servers li");
  expect(await texts(items)).toEqual(["ai_llm.1 stopping · on old", "ai_llm.1 routed · on new"]);
  await items.first().getByRole("link").click();
  expect(await text(page.locator("#boxes > li:target .state"))).toBe("stopping");
});

test.each<[what: string, details: boolean, shows: string]>([
  ["the number of tasks that should run", false, "1 of 2 routed"],
  ["unknown if tasks were left out", true, "1 of – routed"],
])("for a global service, the wanted number of tasks is %s", async (_what, details, shows) => {
  const tasks = [...TASKS.slice(1), task({ name: "old", desired_state: "shutdown" })];
  const left_out = { ...quietStatus().left_out, details };
  const each = service({ name: "ai_each", replicas: null, routed: 1, tasks });
  using shown = await open(statusWith(followed(each), { left_out }));
  expect(await text(row(shown.page, "services", "ai_each"))).toContain(shows);
});

test("of many services the page shows those with a problem first, and the total and left-out counts", async () => {
  const many = Array.from({ length: 300 }, (_, n) => service({ name: `s-${n}` }));
  const left_out = { ...quietStatus().left_out, services: 20 };
  using shown = await open(statusWith(followed(...many, LLM), { left_out }));
  const { page } = shown;
  expect(await text(page.locator("#services-sum"))).toBe("321");
  expect(await page.locator("#services > li").count()).toBe(100);
  expect(await row(page, "services", "ai_llm").count()).toBe(1);
  await page.getByText("20 services left out to keep /status small.").waitFor();
});

test("of many tasks the page shows 20, first those that do not run", async () => {
  const tasks = Array.from({ length: 50 }, (_, n) => task({ name: `a.${n}` }));
  const all = [...tasks, task({ name: "a.50", state: "pending", node: null, reason: ROOM })];
  using shown = await open(statusWith(followed(service({ name: "a", tasks: all }))));
  const shownTasks = row(shown.page, "services", "a");
  expect(await shownTasks.locator(".servers li").count()).toBe(20);
  expect(await text(shownTasks.locator(".servers li"))).toStartWith("a.50 pending");
  expect(await text(shownTasks)).toEndWith("and 31 more");
});

test("the page says that a swarm has no labelled service", async () => {
  using shown = await open(statusWith(followed()));
  await shown.page.getByText("No service has an inference.* label.").waitFor();
});

test.each<[state: SwarmStatus["state"], tone: string]>([
  ["forbidden", "warn"],
  ["lost", "bad"],
])("the head of the services shows the state %s, and what to do", async (state, tone) => {
  const reason = "allow SERVICES=1 TASKS=1 NODES=1 in the socket proxy";
  using shown = await open(statusWith({ ...followed(LLM), state, reason }));
  const { page, proxy } = shown;
  const head = page.locator("#services-sum + p");
  expect(await text(head)).toBe(`${state} for 3 min ${reason}`);
  expect(await head.locator(`.state.${tone}`).count()).toBe(1);
  expect(await text(head.getByRole("status"))).toBe(reason);
  expect(await text(row(page, "services", "ai_llm"))).toContain("2 of 3 routed");
  proxy.status = statusWith(followed(LLM));
  await page.getByText("followed").waitFor({ timeout: 4_000 });
  expect(await text(head)).not.toContain(reason);
});

test.each<[what: string, seen: unknown, missing: string]>([
  ["a swarm", { state: "followed", since: "" }, "swarm.services"],
  ["a service", { ...followed(), services: [{ ...LLM, tasks: 1 }] }, "service.tasks"],
  [
    "a task",
    { ...followed(), services: [{ ...LLM, tasks: [{ id: "a", name: "b" }] }] },
    "task.state",
  ],
])("the page reports %s that it cannot read", async (_what, seen, missing) => {
  using proxy = new ScriptedProxy({ ...statusWith(null), swarm: seen });
  const { page, complaints } = await browser.open(proxy.origin);
  await page.getByText(`Field ${missing} is missing or wrong`).waitFor();
  expect(complaints).toEqual([]);
});

test("numbers and nodes of a wrong type do no harm", async () => {
  const odd = { ...LLM, routed: "2", replicas: {}, update: 5, tasks: [{ ...TASKS[0], node: [1] }] };
  using proxy = new ScriptedProxy({
    ...statusWith(null),
    swarm: { ...followed(), services: [odd] },
  });
  const { page, complaints } = await browser.open(proxy.origin);
  await page.getByText("– of – routed").waitFor();
  expect(complaints).toEqual([]);
});

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test.each([NARROW, WIDE])(
    "breaks no rule of axe, and never scrolls sideways, at $width px",
    async (viewport) => {
      using proxy = new ScriptedProxy(statusWith(followed(EMBED, LLM)));
      const { page, complaints } = await browser.open(proxy.origin, { viewport, colorScheme });
      await page.getByText("Live", { exact: true }).waitFor();
      expect(await violations(page)).toEqual([]);
      expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(
        viewport.width,
      );
      const { SCREENSHOTS: folder } = process.env;
      if (folder !== undefined) {
        const path = `${folder}/services-${colorScheme}-${viewport.width}.png`;
        await page.screenshot({ path, fullPage: true });
      }
      proxy.status = statusWith({ ...followed(LLM), state: "lost", reason: "it does not answer" });
      await page.getByText("it does not answer").waitFor({ timeout: 4_000 });
      expect(await violations(page)).toEqual([]);
      expect(complaints).toEqual([]);
    },
  );
});
