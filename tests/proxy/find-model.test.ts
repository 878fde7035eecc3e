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
    ["a live model: asks nobody", "m", true, 0, "live"],
    ["an unknown one: asks once", "x", true, 1, "unknown"],
    ["an unknown one while the proxy starts: asks nobody", "x", false, 0, "unknown"],
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

  test("a draining one: asks nobody", async () => {
    const routes = new RoutingTable();
    const backend = makeBackend();
    routes.admit(backend);
    routes.drain(backend);
    const refreshModels = (): Promise<void> => Promise.reject(new Error("it was asked"));
    const init = { routes, isReady: () => true, refreshModels };
    expect(await findModel("m", init)).toEqual({ kind: "draining", id: "m" });
  });

  test.each(["alias", "name", "base:adapter"])("a live one by %p: asks nobody", async (name) => {
    const routes = new RoutingTable();
    const listed = [
      { id: "name:latest", aliases: ["alias"] },
      { id: "adapter", parent: "base" },
    ];
    routes.admit(makeBackend({ models: listed }));
    const refreshModels = (): Promise<void> => Promise.reject(new Error("it was asked"));
    const found = await findModel(name, { routes, isReady: () => true, refreshModels });
    expect(found).toMatchObject({ kind: "live" });
  });

  test("an alias that comes with the refresh is found", async () => {
    const routes = table();
    const refreshModels = async (): Promise<void> =>
      void routes.replaceModels(BACKEND, models({ id: "m", aliases: ["new"] }));
    const found = await findModel("new", { routes, isReady: () => true, refreshModels });
    expect(found).toMatchObject({ kind: "live", model: { id: "m" } });
  });

  test("finds what has come with the refresh", async () => {
    const routes = table();
    const refreshModels = async (): Promise<void> =>
      void routes.replaceModels(BACKEND, models({ id: "m" }, { id: "lora" }));
    const found = await findModel("lora", { routes, isReady: () => true, refreshModels });
    expect(found).toMatchObject({ kind: "live", model: { id: "lora" } });
  });

  test("does without where nobody can be asked", async () => {
    const found = await findModel("x", { routes: table(), isReady: () => true });
    expect(found.kind).toBe("unknown");
  });
});
