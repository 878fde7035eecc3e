/** The Compose files of docs/replicas.md make replicas, and the page names the right metrics. */
import { describe, expect, test } from "bun:test";
import { LABELS, readLabels } from "../../src/sources/labels.ts";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { codeBlocks, readText } from "../support/docs.ts";

type Device = {
  readonly driver?: string;
  readonly count?: number;
  readonly device_ids?: readonly string[];
  readonly capabilities?: readonly string[];
};

type Service = {
  readonly image: string;
  readonly command: string;
  readonly networks: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck: { readonly test: readonly string[] };
  readonly stop_grace_period: string;
  readonly deploy: {
    readonly replicas?: number;
    readonly resources?: { readonly reservations: { readonly devices: readonly Device[] } };
  };
};

const DOCS = readText("docs/replicas.md");
const FILES = codeBlocks(DOCS, "yaml").map(
  (text) => Bun.YAML.parse(text) as { readonly services: Readonly<Record<string, Service>> },
);
const [OF_GPUS, OF_ONE_SERVICE] = FILES.map(({ services }) => Object.entries(services));
const ALL = [...OF_GPUS!, ...OF_ONE_SERVICE!];

describe("the Compose files for replicas", () => {
  test("there are two: one service for each GPU, and several containers of one service", () => {
    expect(FILES).toHaveLength(2);
    expect(OF_GPUS!.length).toBeGreaterThan(1);
    expect(OF_ONE_SERVICE).toHaveLength(1);
  });

  test.each(ALL)("%s is a replica, and the proxy knows all its labels", (_name, { labels }) => {
    const read = readLabels(labels);
    expect(read).toMatchObject({
      kind: "enabled",
      settings: { shares: "inference.replica=true" },
    });
    for (const [label, value] of Object.entries(labels)) {
      expect(Object.keys(LABELS)).toContain(label);
      expect(value).toBeString(); // Compose accepts only strings
    }
  });

  test.each(ALL)(
    "%s has a health check on its port, a network, and time to stop",
    (_name, service) => {
      const port = service.labels["inference.port"] ?? LABELS["inference.port"];
      expect(service.healthcheck.test.at(-1)).toContain(`http://localhost:${port}/`);
      expect(service.networks).toEqual(["inference"]);
      const grace = service.image.includes("llama.cpp") ? "10s" : "75s";
      expect(service.stop_grace_period).toBe(grace);
    },
  );

  test("each service has one GPU, by its number", () => {
    const devices = OF_GPUS!.flatMap(
      ([, { deploy }]) => deploy.resources?.reservations.devices ?? [],
    );
    expect(devices.map(({ device_ids }) => device_ids)).toEqual(
      OF_GPUS!.map((_service, index) => [String(index)]),
    );
    for (const { driver, capabilities, count } of devices) {
      expect([driver, capabilities]).toEqual(["nvidia", ["gpu"]]);
      expect(count).toBeUndefined(); // Compose accepts only one of count and device_ids
    }
    for (const [, { deploy }] of OF_GPUS!) expect(deploy.replicas).toBeUndefined();
  });

  test("a service of several containers sets no container name and no published port", () => {
    const [, service] = OF_ONE_SERVICE![0]!;
    expect(service.deploy.replicas).toBeGreaterThan(1);
    expect(service).not.toHaveProperty("container_name");
    expect(service).not.toHaveProperty("ports");
    const atWork = Number(/--parallel (\d+)/.exec(service.command)?.[1]);
    const settings = readLabels(service.labels);
    expect(settings).toMatchObject({ settings: { maxInFlight: 2 * atWork } });
  });
});

test("the page names the metrics of replicas correctly", () => {
  for (const { name } of [METRICS.decisions, METRICS.load]) expect(DOCS).toContain(`\`${name}\``);
});
