/** The real Claude Code CLI through the compiled binary, set up as docs/clients.md says. */
import { expect, test } from "bun:test";
import { CLAUDE_CODE, npmProgram } from "../support/real-clients/programs.ts";
import { shownVariables } from "../support/real-clients/shown.ts";
import {
  ANSWER,
  expectQuickStart,
  IS_ALONE,
  runClient,
  startStage,
} from "../support/real-clients/stage.ts";

const HEAD = "HEAD /api/hello 404";
const LIST = "GET /v1/models?limit=1000 200";
const FIRST = "POST /v1/messages?beta=true 200";
const QUIET = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1" };
const DISCOVERY = { CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY: "1" };

function claude(origin: string, env: Readonly<Record<string, string>>): Promise<string> {
  return runClient({
    command: [npmProgram(CLAUDE_CODE), "-p", "say hello"],
    env: {
      ...shownVariables("ANTHROPIC_MODEL", origin, "claude-coder"),
      DISABLE_AUTOUPDATER: "1",
      DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1",
      ...env,
    },
  });
}

test.each<[what: string, env: Readonly<Record<string, string>>, opening: readonly string[]]>([
  ["essential traffic only", QUIET, [FIRST]],
  ["model discovery", { ...QUIET, ...DISCOVERY }, [LIST, FIRST]],
])("Claude Code with %s starts at once and answers", async (_what, env, opening) => {
  await using stage = await startStage();
  expect(await claude(stage.origin, env)).toBe(ANSWER);
  expect(expectQuickStart(stage.relay.exchanges, "/v1/messages")).toEqual([...opening]);
});

test.skipIf(!IS_ALONE)(
  "Claude Code with default settings, which first sends a HEAD to open the connection",
  async () => {
    await using stage = await startStage();
    expect(await claude(stage.origin, DISCOVERY)).toBe(ANSWER);
    expect(expectQuickStart(stage.relay.exchanges, "/v1/messages")).toEqual([HEAD, LIST, FIRST]);
  },
);
