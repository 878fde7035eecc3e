import { expect, test } from "bun:test";
import { isOurs, readServiceLabels } from "../../../src/sources/swarm/labels.ts";
import { aService } from "../../support/engine/swarm-parts.ts";

test("labels of the service take precedence over labels of its containers", () => {
  const service = aService({
    labels: { "inference.enable": "true", "inference.port": "9000", "inference.network": "" },
    containerLabels: { "inference.port": "1", "inference.network": "net", other: "x" },
  });
  expect(readServiceLabels(service)).toMatchObject({
    kind: "enabled",
    settings: { port: 9000, network: "net" },
  });
});

test("the labels of a Compose file for one host work unchanged", () => {
  const service = aService({ labels: {}, containerLabels: { "inference.enable": "true" } });
  expect(isOurs(service)).toBe(true);
  expect(readServiceLabels(service).kind).toBe("enabled");
});

test("a service can override the labels of its containers", () => {
  const containerLabels = { "inference.enable": "true" };
  const off = aService({ labels: { "inference.enable": "false" }, containerLabels });
  expect(readServiceLabels(off).kind).toBe("disabled");
});

test("tasks of one service share their requests, unless a label says otherwise", () => {
  const sharesOf = (replica?: string): unknown => {
    const labels = { "inference.enable": "true", "inference.replica": replica ?? "" };
    const read = readServiceLabels(aService({ labels }));
    return read.kind === "enabled" ? read.settings.shares : read;
  };
  expect(sharesOf()).toBe("service svc1");
  expect(sharesOf("false")).toBeUndefined();
  const all = sharesOf("true");
  expect(all).toBeString();
  expect(all).not.toBe("service svc1");
  expect(sharesOf("yes")).toMatchObject({ kind: "wrong" });
});

test("a service without a label of ours is not ours", () => {
  expect(isOurs(aService({ labels: { "traefik.enable": "true" } }))).toBe(false);
});
