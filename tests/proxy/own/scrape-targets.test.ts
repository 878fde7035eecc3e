import { describe, expect, test } from "bun:test";
import { type ScrapeTarget, scrapeTargetsResponse } from "../../../src/proxy/own/scrape-targets.ts";
import { startProxy } from "../../support/proxy/in-process.ts";

const PATH = "/sd/prometheus";

type Group = {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
};

function target(init: Partial<ScrapeTarget> = {}): ScrapeTarget {
  return { id: "abc", name: "vllm-1", origin: "http://172.17.0.2:8000", models: ["m"], ...init };
}

async function groupsOf(...targets: readonly ScrapeTarget[]): Promise<readonly Group[]> {
  return (await scrapeTargetsResponse(targets).json()) as readonly Group[];
}

async function modelsOf(...models: readonly string[]): Promise<string | undefined> {
  const [group] = await groupsOf(target({ models }));
  return group?.labels["__meta_inference_models"];
}

describe("scrapeTargetsResponse()", () => {
  test("has a group for each server, in Prometheus' format", async () => {
    const response = scrapeTargetsResponse([target({ models: ["a", "b/c"] })]);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      200,
      "application/json",
    ]);
    expect(await response.json()).toEqual([
      {
        targets: ["172.17.0.2:8000"],
        labels: {
          container_name: "vllm-1",
          __meta_inference_container_id: "abc",
          __meta_inference_models: ",a,b/c,",
        },
      },
    ]);
  });

  test("is an empty list if there are no servers", async () => {
    expect(await scrapeTargetsResponse([]).text()).toBe("[]");
  });

  test("is a 503 while the targets are not known, so that Prometheus keeps its current ones", async () => {
    const response = scrapeTargetsResponse(undefined);
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await response.text()).toContain("/status");
  });

  test("keeps the brackets of an IPv6 address", async () => {
    const [group] = await groupsOf(target({ origin: "http://[fd00::2]:8000" }));
    expect(group?.targets).toEqual(["[fd00::2]:8000"]);
  });

  test("does not depend on the order of the targets", async () => {
    const targets = [
      target({ name: "b", id: "1" }),
      target({ name: "a", id: "2" }),
      target({ name: "a", id: "1" }),
    ];
    const text = await scrapeTargetsResponse(targets).text();
    expect(await scrapeTargetsResponse(targets.toReversed()).text()).toBe(text);
    const groups = JSON.parse(text) as readonly Group[];
    expect(
      groups.map(({ labels }) => [
        labels["container_name"],
        labels["__meta_inference_container_id"],
      ]),
    ).toEqual([
      ["a", "1"],
      ["a", "2"],
      ["b", "1"],
    ]);
  });

  test("has an empty list of models for a server without models", async () => {
    expect(await modelsOf()).toBe("");
  });

  test("has only the first models if there are too many, and cuts no name", async () => {
    const models = Array.from({ length: 10_000 }, (_, index) => `model-${index}`);
    const text = (await modelsOf(...models)) ?? "";
    expect(text.length).toBeWithin(4_000, 4_097);
    const shown = text.slice(1, -1).split(",");
    expect(shown).toEqual(models.slice(0, shown.length));
  });

  test("counts bytes, not characters", async () => {
    const text = await modelsOf(
      ...Array.from({ length: 100 }, (_, index) => `${"模".repeat(50)}${index}`),
    );
    expect(Buffer.byteLength(text ?? "")).toBeWithin(3_900, 4_097);
  });

  test("leaves out a model name that is too long for a label, and cuts a long container name", async () => {
    const long = "x".repeat(257);
    expect(await modelsOf("a", long, "b")).toBe(",a,b,");
    const [group] = await groupsOf(target({ name: long, id: long }));
    expect(group?.labels["container_name"]).toHaveLength(256);
    expect(group?.labels["__meta_inference_container_id"]).toHaveLength(256);
  });

  test("has only valid UTF-8, and no characters that control a terminal", async () => {
    const response = scrapeTargetsResponse([
      target({ name: "a\ud800", models: ["\udc00b", "\u009b2J\u202e\n"] }),
    ]);
    const text = await response.text();
    expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(text).not.toMatch(/\\ud[89a-f]/i);
    const [group] = JSON.parse(text) as readonly Group[];
    expect(group?.labels["container_name"]).toBe("a\ufffd");
    expect(group?.labels["__meta_inference_models"]).toBe(",\ufffdb,\u009b2J\u202e\n,");
  });

  test("has 5,000 servers in 4 MiB, each with its first models", async () => {
    const models = Array.from({ length: 10_000 }, (_, index) => `model-${index}`);
    const targets = Array.from({ length: 5_000 }, (_, index) =>
      target({ name: `container-${index}`, id: index.toString(16).padStart(64, "0"), models }),
    );
    const text = await scrapeTargetsResponse(targets).text();
    expect(Buffer.byteLength(text)).toBeLessThan(4 * 1024 * 1024);
    const groups = JSON.parse(text) as readonly Group[];
    expect(groups).toHaveLength(5_000);
    for (const { labels } of groups)
      expect(labels["__meta_inference_models"]).toStartWith(",model-0,model-1,");
  });

  test("stays below 4 MiB with the worst names", async () => {
    const name = "\u202e".repeat(256); // each takes six characters in the answer
    const targets = Array.from({ length: 5_000 }, (_, index) =>
      target({ name, id: String(index) }),
    );
    const text = await scrapeTargetsResponse(targets).text();
    expect(Buffer.byteLength(text)).toBeWithin(4_000_000, 4 * 1024 * 1024);
    expect((JSON.parse(text) as readonly Group[]).length).toBeGreaterThan(2_000);
  });
});

test("GET and HEAD /sd/prometheus have the same status and headers", async () => {
  let targets: readonly ScrapeTarget[] | undefined;
  using proxy = startProxy({ scrapeTargets: () => targets });
  const ask = (method: string): Promise<Response> => fetch(`${proxy.origin}${PATH}`, { method });
  expect([(await ask("GET")).status, (await ask("HEAD")).status]).toEqual([503, 503]);
  targets = [target()];
  const [got, head] = await Promise.all([ask("GET"), ask("HEAD")]);
  expect([got.status, head.status]).toEqual([200, 200]);
  expect(head.headers.get("content-type")).toBe("application/json");
  expect(head.headers.get("content-length")).toBe(got.headers.get("content-length"));
  expect(await got.json()).toHaveLength(1);
});
