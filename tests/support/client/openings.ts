/**
 * The bytes that clients send before and with their first request for a model. They were recorded from the
 * real clients with `npm run test:clients`. Keys and ids are masked. Bodies are cut to the part that a server
 * needs: about 40 KB of the real ones are instructions for the model.
 */

export type Opening = {
  readonly client: string;
  readonly what: string;
  readonly lines: readonly string[];
  readonly body?: string;
  /** The status of the proxy's answer. The client does not repeat the request after any of these. */
  readonly status: number;
};

const ID = "01a21cfd-538d-7743-8500-a6b9257c5754";
const CODEX_AGENT = "codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.171.0)";
const METADATA =
  `{"installation_id":"${ID}","session_id":"${ID}","thread_id":"${ID}","agent_name":"/root","turn_id":"",` +
  `"window_id":"${ID}:0","window_number":0,"context_window_id":"${ID}","request_kind":"prewarm",` +
  '"history_initialization":"new","thread_source":"user","sandbox":"seccomp","sandbox_mode":"read-only",' +
  '"auto_review_enabled":false,"node_repl_auto_review_required":false,"node_repl_disabled":false,' +
  '"analytics_enabled":true,"model":"m"}';

export const CODEX_WEBSOCKET: Opening = {
  client: "Codex 0.171.0",
  what: "a WebSocket",
  status: 426,
  lines: [
    "GET /v1/responses HTTP/1.1",
    "Host: 127.0.0.1:36551",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: zt5uwgiFNhlR+kZ+/pJvRg==",
    "authorization: Bearer sk-masked",
    `user-agent: ${CODEX_AGENT}`,
    "originator: codex_exec",
    "openai-beta: responses_websockets=2026-02-06",
    `x-codex-turn-metadata: ${METADATA}`,
    "version: 0.171.0",
    "x-codex-beta-features: remote_compaction_v2",
    `x-client-request-id: ${ID}`,
    `session-id: ${ID}`,
    `thread-id: ${ID}`,
    `x-codex-window-id: ${ID}:0`,
    "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
  ],
};

export const OPENINGS: readonly Opening[] = [
  {
    client: "Codex 0.171.0",
    what: "the list of models",
    status: 200,
    lines: [
      "GET /v1/models?client_version=0.171.0 HTTP/1.1",
      "authorization: Bearer sk-masked",
      "originator: codex_exec",
      `user-agent: ${CODEX_AGENT}`,
      "accept: */*",
      "accept-encoding: zstd,gzip",
      "host: 127.0.0.1:33327",
    ],
  },
  CODEX_WEBSOCKET,
  {
    ...CODEX_WEBSOCKET,
    what: "a WebSocket through a front proxy that drops the upgrade",
    lines: CODEX_WEBSOCKET.lines.filter((line) => !/^(connection|upgrade):/i.test(line)),
  },
  {
    client: "Codex 0.171.0",
    what: "the first request for a model",
    status: 200,
    lines: [
      "POST /v1/responses HTTP/1.1",
      "x-codex-beta-features: remote_compaction_v2",
      `x-codex-window-id: ${ID}:0`,
      `x-codex-turn-metadata: ${METADATA}`,
      `x-client-request-id: ${ID}`,
      `session-id: ${ID}`,
      `thread-id: ${ID}`,
      "accept: text/event-stream",
      "content-type: application/json",
      "authorization: Bearer sk-masked",
      "originator: codex_exec",
      `user-agent: ${CODEX_AGENT}`,
      "accept-encoding: zstd,gzip",
      "host: 127.0.0.1:46523",
    ],
    body: '{"model":"m","stream":true,"input":[]}',
  },
  {
    client: "Claude Code 2.1.332",
    what: "a request that only opens the connection",
    status: 404,
    lines: [
      "HEAD /api/hello HTTP/1.1",
      "Connection: keep-alive",
      "User-Agent: Bun/1.4.6",
      "Accept: */*",
      "Host: 127.0.0.1:33963",
      "Accept-Encoding: gzip, deflate, br, zstd",
    ],
  },
  {
    client: "Claude Code 2.1.332",
    what: "the list of models",
    status: 200,
    lines: [
      "GET /v1/models?limit=1000 HTTP/1.1",
      "Authorization: Bearer sk-masked",
      "User-Agent: claude-code/2.1.332",
      "anthropic-version: 2023-06-01",
      "Connection: keep-alive",
      "Accept: */*",
      "Host: 127.0.0.1:33963",
      "Accept-Encoding: gzip, deflate, br, zstd",
    ],
  },
  {
    client: "Claude Code 2.1.332",
    what: "the first request for a model",
    status: 200,
    lines: [
      "POST /v1/messages?beta=true HTTP/1.1",
      "Accept: application/json",
      "Authorization: Bearer sk-masked",
      "Content-Type: application/json",
      "User-Agent: claude-cli/2.1.332 (external, sdk-cli)",
      `X-Claude-Code-Session-Id: ${ID}`,
      "X-Stainless-Arch: x64",
      "X-Stainless-Lang: js",
      "X-Stainless-OS: Linux",
      "X-Stainless-Package-Version: 0.128.0",
      "X-Stainless-Retry-Count: 0",
      "X-Stainless-Runtime: node",
      "X-Stainless-Runtime-Version: v26.12.1",
      "X-Stainless-Timeout: 600",
      "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
      "anthropic-dangerous-direct-browser-access: true",
      "anthropic-version: 2023-06-01",
      "x-app: cli",
      "Connection: keep-alive",
      "Host: 127.0.0.1:33963",
      "Accept-Encoding: gzip, deflate, br, zstd",
    ],
    body: '{"model":"m","messages":[],"stream":true}',
  },
];

/** The bytes on the wire. */
export function written({ lines, body = "" }: Opening): string {
  const length = body === "" ? [] : [`Content-Length: ${body.length}`];
  return `${[...lines, ...length].join("\r\n")}\r\n\r\n${body}`;
}
