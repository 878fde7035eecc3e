import { describe, expect, test } from "bun:test";
import { findModel } from "../../src/proxy/find-model.ts";
import { RoutingTable } from "../../src/routing/table.ts";
import { makeBackend, models } from "../support/server/backends.ts";

const BACKEND = makeBackend();

function table(): RoutingTable {
  const routes = new RoutingTable();
  routes.admit(BACKEND);
  return routes;
}

describe("findModel()", () => {
  test.each<[what: string, model: string, isReady: boolean, asked: number, kind: string]>([
    ["finds a live model and asks no server", "m", true, 0, "live"],
    ["asks the servers once for an unknown model", "x", true, 1, "unknown"],
    ["asks no server for an unknown model while the proxy starts", "x", false, 0, "unknown"],
  ])("%s", async (_what, ...[model, isReady, asked, kind]) => {
    let count = 0;
    const refreshModels = async (): Promise<void> => {
      count += 1;
    };
    const found = await findModel(model, {
      routes: table(),
      isReady: () => isReady,
      refreshModels,
    });
    expect<unknown[]>([found.kind, count]).toEqual([kind, asked]);
  });

  test("asks no server for a draining model", async () => {
    const routes = new RoutingTable();
    const backend = makeBackend();
    routes.admit(backend);
    routes.drain(backend);
    const refreshModels = (): Promise<void> => Promise.reject(new Error("it was asked"));
    const init = { routes, isReady: () => true, refreshModels };
    expect(await findModel("m", init)).toEqual({ kind: "draining", id: "m" });
  });

  test.each(["alias", "name", "base:adapter"])(
    "finds a live model by %p and asks no server",
    async (name) => {
      const routes = new RoutingTable();
      const listed = [
        { id: "name:latest", aliases: ["alias"] },
        { id: "adapter", parent: "base" },
      ];
      routes.admit(makeBackend({ models: listed }));
      const refreshModels = (): Promise<void> => Promise.reject(new Error("it was asked"));
      const found = await findModel(name, { routes, isReady: () => true, refreshModels });
      expect(found).toMatchObject({ kind: "live" });
    },
  );

  test("finds an alias that comes with the new list", async () => {
    const routes = table();
    const refreshModels = async (): Promise<void> =>
      void routes.replaceModels(BACKEND, models({ id: "m", aliases: ["new"] }));
    const found = await findModel("new", { routes, isReady: () => true, refreshModels });
    expect(found).toMatchObject({ kind: "live", model: { id: "m" } });
  });

  test("finds a model that comes with the new list", async () => {
    const routes = table();
    const refreshModels = async (): Promise<void> =>
      void routes.replaceModels(BACKEND, models({ id: "m" }, { id: "lora" }));
    const found = await findModel("lora", { routes, isReady: () => true, refreshModels });
    expect(found).toMatchObject({ kind: "live", model: { id: "lora" } });
  });

  test("works without a way to ask the servers", async () => {
    const found = await findModel("x", { routes: table(), isReady: () => true });
    expect(found.kind).toBe("unknown");
  });
});
