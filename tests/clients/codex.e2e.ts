/** The real Codex CLI through the compiled binary, set up as docs/clients.md says and in Codex's other ways. */
import { expect, test } from "bun:test";
import { CODEX, npmProgram } from "../support/real-clients/programs.ts";
import { shownCodexConfig } from "../support/real-clients/shown.ts";
import {
  ANSWER,
  expectQuickStart,
  runClient,
  type Stage,
  startStage,
} from "../support/real-clients/stage.ts";
import { until } from "../support/until.ts";

const QUIET_AT_START = "check_for_update_on_startup = false\n";
const QUIET_TABLE = "[analytics]\nenabled = false\n";
const LIST = `GET /v1/models?client_version=${CODEX.version} 200`;
const WEBSOCKET = "GET /v1/responses 426";
const FIRST = "POST /v1/responses 200";
const OPEN = "GET /v1/responses 101";
/** The only server behind the proxy, so a WebSocket that names no model goes to it. */
const ONLY = ["coder"];

const provider = (origin: string, more: string, model = "coder"): string =>
  `${QUIET_AT_START}${shownCodexConfig(origin, model)}${more}\n${QUIET_TABLE}`;

const openAi = (origin: string): string =>
  `${QUIET_AT_START}model = "coder"\nopenai_base_url = "${origin}/v1"\n${QUIET_TABLE}`;

/** The lines that turn a provider's WebSockets on. They are off by default. */
const WEBSOCKETS = 'env_key = "PROXY_KEY"\nsupports_websockets = true';

/** @param code the expected exit code */
function codex(config: string, code = 0): Promise<string> {
  return runClient({
    code,
    command: [npmProgram(CODEX), "exec", "--skip-git-repo-check", "-s", "read-only", "say hello"],
    env: { CODEX_API_KEY: "sk-test", PROXY_KEY: "sk-test" },
    files: { ".codex/config.toml": config },
  });
}

test.each<[what: string, config: (stage: Stage) => string, opening: readonly string[]]>([
  ["openai_base_url", ({ origin }) => openAi(origin), [WEBSOCKET, FIRST]],
  ["a provider", ({ origin }) => provider(origin, ""), [FIRST]],
  ["a provider with a key", ({ origin }) => provider(origin, 'env_key = "PROXY_KEY"'), [FIRST]],
  ["a provider with WebSockets", ({ origin }) => provider(origin, WEBSOCKETS), [WEBSOCKET, FIRST]],
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
  // Codex asks for the list several times at once.
  const seen = expectQuickStart(stage.relay.exchanges, "/v1/responses");
  expect([...new Set(seen)]).toEqual([...opening]);
});

function paths({ relay }: Stage): readonly string[] {
  return relay.exchanges.map(({ request, status }) => `${request} ${status}`);
}

test.each<[what: string, config: (origin: string) => string]>([
  ["openai_base_url", openAi],
  ["a provider with WebSockets", (origin) => provider(origin, WEBSOCKETS)],
])("Codex with %s talks over a WebSocket that the only server accepts", async (_what, config) => {
  await using stage = await startStage(ONLY, { RESPONSES_UPGRADE: "take" });
  expect(await codex(config(stage.origin))).toBe(ANSWER);
  expect(paths(stage)).toEqual([OPEN]);
  const ended = async (): Promise<boolean> => (await stage.journal())[0]?.socket?.end != null;
  await until("the server sees the end", ended);
  expect(await stage.journal()).toMatchObject([
    {
      path: "/v1/responses",
      model: "coder",
      socket: {
        headers: {
          authorization: "Bearer sk-test",
          "openai-beta": expect.stringContaining("responses_websockets="),
        },
        received: ["response.create", "response.create"], // the first one warms up the prompt
        end: { code: 1006, by: "client" }, // as in a direct connection: Codex leaves without a Close frame
      },
    },
  ]);
});

test.each(["403", "404", "405", "501", "http"])(
  "Codex continues by POST at once when the only server answers its WebSocket with %s",
  async (RESPONSES_UPGRADE) => {
    await using stage = await startStage(ONLY, { RESPONSES_UPGRADE });
    expect(await codex(provider(stage.origin, WEBSOCKETS))).toBe(ANSWER);
    expect(expectQuickStart(stage.relay.exchanges, "/v1/responses")).toEqual([WEBSOCKET, FIRST]);
  },
);

test("Codex continues by POST at once when several servers could take its WebSocket", async () => {
  await using stage = await startStage(undefined, { RESPONSES_UPGRADE: "take" });
  expect(await codex(provider(stage.origin, WEBSOCKETS))).toBe(ANSWER);
  expect(expectQuickStart(stage.relay.exchanges, "/v1/responses")).toEqual([WEBSOCKET, FIRST]);
  expect((await stage.journal()).map(({ method, model }) => [method, model])).toEqual([
    ["POST", "coder"],
  ]);
});

test("Codex gets its WebSocket among several servers if its provider names the model in the query", async () => {
  await using stage = await startStage(undefined, { RESPONSES_UPGRADE: "take" });
  const config = provider(stage.origin, `${WEBSOCKETS}\nquery_params = { model = "coder" }`);
  expect(await codex(config)).toBe(ANSWER);
  expect(paths(stage)).toEqual(["GET /v1/responses?model=coder 101"]);
  expect(await stage.journal()).toMatchObject([{ path: "/v1/responses?model=coder" }]);
});

test("Codex with an unknown model shows the proxy's error for its POST", async () => {
  await using stage = await startStage(undefined, { RESPONSES_UPGRADE: "take" });
  const config = provider(
    stage.origin,
    `${WEBSOCKETS}\nrequest_max_retries = 0\nstream_max_retries = 0`,
    "nobody",
  );
  expect(await codex(config, 1)).toContain(`no server has model "nobody"`);
  expect(paths(stage)).toEqual([WEBSOCKET, "POST /v1/responses 404"]);
});

test("Codex with a model that the only server does not have shows that server's error", async () => {
  await using stage = await startStage(ONLY, { RESPONSES_UPGRADE: "take" });
  const complaint = await codex(provider(stage.origin, WEBSOCKETS, "nobody"), 1);
  expect(complaint).toContain("ERROR: The model `nobody` does not exist.");
  expect([...new Set(paths(stage))]).toEqual([OPEN]);
});
