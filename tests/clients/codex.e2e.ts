/** The real Codex CLI through the compiled binary, set up in each of the ways that its documentation names. */
import { expect, test } from "bun:test";
import { CODEX, npmProgram } from "../support/real-clients/programs.ts";
import {
  ANSWER,
  expectQuickStart,
  runClient,
  type Stage,
  startStage,
} from "../support/real-clients/stage.ts";

const QUIET = "check_for_update_on_startup = false\n[analytics]\nenabled = false\n";
const LIST = `GET /v1/models?client_version=${CODEX.version} 200`;
const WEBSOCKET = "GET /v1/responses 426";
const FIRST = "POST /v1/responses 200";

const provider = (origin: string, more: string): string =>
  `model = "coder"\nmodel_provider = "proxy"\n${QUIET}[model_providers.proxy]\nname = "proxy"\n` +
  `base_url = "${origin}/v1"\nwire_api = "responses"\n${more}\n`;

function codex(config: string): Promise<string> {
  return runClient({
    command: [npmProgram(CODEX), "exec", "--skip-git-repo-check", "-s", "read-only", "say hello"],
    env: { CODEX_API_KEY: "sk-test", PROXY_KEY: "sk-test" },
    files: { ".codex/config.toml": config },
  });
}

test.each<[what: string, config: (stage: Stage) => string, opening: readonly string[]]>([
  [
    "openai_base_url",
    ({ origin }) => `model = "coder"\nopenai_base_url = "${origin}/v1"\n${QUIET}`,
    [WEBSOCKET, FIRST],
  ],
  ["a provider", ({ origin }) => provider(origin, 'env_key = "PROXY_KEY"'), [FIRST]],
  [
    "a provider with WebSockets",
    ({ origin }) => provider(origin, 'env_key = "PROXY_KEY"\nsupports_websockets = true'),
    [WEBSOCKET, FIRST],
  ],
  [
    "a provider whose key comes from a command",
    ({ origin }) =>
      provider(
        origin,
        'supports_websockets = true\n[model_providers.proxy.auth]\ncommand = "echo"\nargs = ["sk-test"]',
      ),
    [LIST, WEBSOCKET, FIRST],
  ],
])("Codex with %s starts at once and answers", async (_what, config, opening) => {
  await using stage = await startStage();
  expect(await codex(config(stage))).toBe(ANSWER);
  // It asks for the list several times at once.
  const seen = expectQuickStart(stage.relay.exchanges, "/v1/responses");
  expect([...new Set(seen)]).toEqual([...opening]);
});
