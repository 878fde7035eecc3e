/** The parts of docs/swarm.md that people copy agree with the stack file, the labels and the proxy. */
import { expect, test } from "bun:test";
import { VARIABLES } from "../../src/config.ts";
import { LABELS } from "../../src/sources/labels.ts";
import { codeBlocks, readText } from "../support/docs.ts";
import { STACK_TEXT } from "../support/stack-file.ts";

const DOCS = readText("docs/swarm.md");

const block = (language: string): string => codeBlocks(DOCS, language)[0] ?? "";

test("nodes offer the kind of GPU that the stack reserves, and NVIDIA's runtime reads Swarm's variable", () => {
  const kind = /kind: ([\w-]+), value: 1/.exec(STACK_TEXT)?.[1];
  const daemon = JSON.parse(block("json")) as Readonly<Record<string, unknown>>;
  for (const resource of daemon["node-generic-resources"] as readonly string[])
    expect(resource).toStartWith(`${kind}=GPU-`);
  expect(daemon["runtimes"]).toHaveProperty(String(daemon["default-runtime"]));
  // Swarm writes the kind in capitals after this prefix: tests/e2e/private-engine/stack.e2e.ts checks that.
  const toml = Bun.TOML.parse(block("toml")) as Readonly<Record<string, unknown>>;
  expect(toml["swarm-resource"]).toBe(`DOCKER_RESOURCE_${kind?.toUpperCase()}`);
});

test("the service part for one task on each node is valid YAML", () => {
  const { deploy } = Bun.YAML.parse(block("yaml")) as { readonly deploy: object };
  expect(deploy).toMatchObject({
    mode: "global",
    placement: { constraints: ["node.labels.gpu == true"] },
    update_config: { order: "stop-first" },
  });
});

test("every label and every variable of the proxy that the page names exists", () => {
  const names = [...DOCS.matchAll(/`(inference\.\w[\w.]*)/g)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(1);
  for (const name of names) expect(Object.keys(LABELS)).toContain(name);
  for (const [name] of DOCS.matchAll(/\bPROXY_\w+/g))
    expect(Object.keys(VARIABLES)).toContain(name);
});
