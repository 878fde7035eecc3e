import { expect, test } from "bun:test";
import { LabelledServices } from "../../../src/sources/swarm/labelled.ts";
import { aService } from "../../support/engine/swarm-parts.ts";

test("reads labels again only when they change, on the service or on its containers", () => {
  const services = new LabelledServices();
  services.take([aService()]);
  const first = services.get("svc1");
  expect(first?.labels).toMatchObject({ kind: "enabled", settings: { port: 8000 } });
  services.take([aService({ replicas: 7 })]);
  expect(services.get("svc1")?.labels).toBe(first?.labels);
  expect(services.get("svc1")?.service.replicas).toBe(7);
  services.take([aService({ containerLabels: { "inference.port": "9000" } })]);
  expect(services.get("svc1")?.labels).toMatchObject({ settings: { port: 9000 } });
  services.take([aService({ labels: { "inference.enable": "false" } })]);
  expect(services.get("svc1")?.labels).toMatchObject({ kind: "disabled" });
});

test("knows services without a label of ours and jobs, but does not count them as ours", () => {
  const services = new LabelledServices();
  const plain = aService({ id: "plain", labels: { "com.docker.stack.namespace": "ai" } });
  services.take([aService(), plain, aService({ id: "job", isJob: true })]);
  expect(services.get("plain")).toEqual({ service: plain, labels: undefined });
  expect(services.get("job")?.labels).toBeUndefined();
  expect(services.ours.map(({ id }) => id)).toEqual(["svc1"]);
  services.take([]);
  expect([services.get("svc1"), services.ours]).toEqual([undefined, []]);
});

test("uses the last entry of an id that is listed twice", () => {
  const services = new LabelledServices();
  services.take([aService(), aService({ name: "other" })]);
  expect(services.ours.map(({ name }) => name)).toEqual(["other"]);
});
