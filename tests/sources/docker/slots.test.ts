import { expect, test } from "bun:test";
import { slotsOf } from "../../../src/sources/docker/slots.ts";

const COMPOSE = {
  "com.docker.compose.project": "ai",
  "com.docker.compose.service": "llm",
  "com.docker.compose.container-number": "1",
};
const SLOT = "compose ai/llm/1";
const LONG = "x".repeat(600);

test.each<[what: string, name: string, labels: Record<string, string>, slots: readonly string[]]>([
  ["a container of docker run", "vllm", {}, ["name vllm"]],
  ["a container of Compose", "ai-llm-1", COMPOSE, ["name ai-llm-1", SLOT]],
  [
    "the successor, as Compose v2 creates it",
    "0123456789ab_ai-llm-1",
    { ...COMPOSE, "com.docker.compose.replace": "llm-1" },
    ["name 0123456789ab_ai-llm-1", "name ai-llm-1", SLOT],
  ],
  [
    "the old container, as early v2 renames it",
    "0123456789ab_vllm",
    COMPOSE,
    ["name 0123456789ab_vllm", "name vllm", SLOT],
  ],
  ["a name that only looks similar", "0123456789AB_vllm", {}, ["name 0123456789AB_vllm"]],
  ["a prefix without a name", "0123456789ab_", {}, ["name 0123456789ab_"]],
  [
    "docker compose run",
    "ai-llm-run-1",
    { ...COMPOSE, "com.docker.compose.oneoff": "True" },
    ["name ai-llm-run-1"],
  ],
  [
    "a container of Compose with another name",
    "x",
    { ...COMPOSE, "com.docker.compose.oneoff": "False" },
    ["name x", SLOT],
  ],
  ["a label with a slash", "x", { ...COMPOSE, "com.docker.compose.service": "a/b" }, ["name x"]],
  ["an empty label", "x", { ...COMPOSE, "com.docker.compose.project": "" }, ["name x"]],
  [
    "a number that is not a number",
    "x",
    { ...COMPOSE, "com.docker.compose.container-number": "one" },
    ["name x"],
  ],
  ["labels too long", "x", { ...COMPOSE, "com.docker.compose.service": LONG }, ["name x"]],
  ["a name too long", LONG, COMPOSE, [SLOT]],
])("slotsOf() %s", (_what, name, labels, slots) => {
  expect(slotsOf({ name, labels })).toEqual([...slots]);
});
