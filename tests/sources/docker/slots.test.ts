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
  ["a container by hand", "vllm", {}, ["name vllm"]],
  ["one of Compose", "ai-llm-1", COMPOSE, ["name ai-llm-1", SLOT]],
  [
    "the successor, as Compose v2 creates it",
    "0123456789ab_ai-llm-1",
    { ...COMPOSE, "com.docker.compose.replace": "llm-1" },
    ["name 0123456789ab_ai-llm-1", "name ai-llm-1", SLOT],
  ],
  [
    "the old one, as early v2 renames it",
    "0123456789ab_vllm",
    COMPOSE,
    ["name 0123456789ab_vllm", "name vllm", SLOT],
  ],
  ["what only looks like that", "0123456789AB_vllm", {}, ["name 0123456789AB_vllm"]],
  ["no name behind it", "0123456789ab_", {}, ["name 0123456789ab_"]],
  [
    "docker compose run",
    "ai-llm-run-1",
    { ...COMPOSE, "com.docker.compose.oneoff": "True" },
    ["name ai-llm-run-1"],
  ],
  [
    "any other one of Compose",
    "x",
    { ...COMPOSE, "com.docker.compose.oneoff": "False" },
    ["name x", SLOT],
  ],
  ["a label that lies", "x", { ...COMPOSE, "com.docker.compose.service": "a/b" }, ["name x"]],
  ["a label that lacks", "x", { ...COMPOSE, "com.docker.compose.project": "" }, ["name x"]],
  ["no number", "x", { ...COMPOSE, "com.docker.compose.container-number": "one" }, ["name x"]],
  ["labels too long", "x", { ...COMPOSE, "com.docker.compose.service": LONG }, ["name x"]],
  ["a name too long", LONG, COMPOSE, [SLOT]],
])("slotsOf() %s", (_what, name, labels, slots) => {
  expect(slotsOf({ name, labels })).toEqual([...slots]);
});
