/** Which clients may read the internal pages `/status`, `/metrics` and `/sd/prometheus`. */
import { describe, expect, test } from "bun:test";
import { isLocalHost } from "../../../src/proxy/own/inner.ts";
import { NO_TELEMETRY } from "../../../src/telemetry/telemetry.ts";
import { rawExchange } from "../../support/client/raw-http.ts";
import { type RunningProxy, startProxy } from "../../support/proxy/in-process.ts";
import { plainStatus } from "../../support/proxy/status-reply.ts";

const PATHS = ["/status", "/metrics", "/sd/prometheus"];
const SECRET = "vllm-1 at 172.17.0.2";

function start(init: Parameters<typeof startProxy>[0] = {}): RunningProxy {
  return startProxy({
    status: () => plainStatus({ version: SECRET }),
    scrapeTargets: () => [{ id: "1", name: SECRET, origin: "http://172.17.0.2:8000", models: [] }],
    telemetry: { ...NO_TELEMETRY, scrape: async () => `# ${SECRET}\n` },
    ...init,
  });
}

/** @param lines headers of the request */
function ask(proxy: RunningProxy, target: string, ...lines: readonly string[]): Promise<string> {
  const head = [target, ...lines, "Connection: close"].join("\r\n");
  return rawExchange(proxy.port, `${head}\r\n\r\n`);
}

function get(proxy: RunningProxy, path: string, ...lines: readonly string[]): Promise<string> {
  return ask(proxy, `GET ${path} HTTP/1.1`, ...lines);
}

describe("isLocalHost()", () => {
  const trusted = new Set(["proxy.example.com", "two."]);

  test.each([
    ...["127.0.0.1", "10.0.0.5:8080", "0.0.0.0", "[::1]", "[::1]:8080", "[2001:db8::A]:1"],
    ...["localhost", "LocalHost:8080", "proxy", "inference-proxy:8080", "my_proxy", "1"],
    ...["a.local", "b.a.local", "gpu.LAN:80", "x.internal", "x.home.arpa", "a.local.", "a.lan.:80"],
    ...["proxy.example.com", "PROXY.example.com:8080", "proxy.example.com.", "two."],
  ])("returns true for %j", (host) => {
    expect(isLocalHost(host, trusted)).toBe(true);
  });

  test.each([
    ...[
      "",
      " ",
      ".",
      "..",
      ":",
      ":8080",
      "evil.example",
      "rebind.evil.example:8080",
      "example.com",
    ],
    ...[
      "ai.",
      "localhost.",
      "local.",
      "ai.:80",
      "ai..",
      ".local",
      "a..local",
      "xlocal.com",
      "arpa.",
    ],
    ...["a.local.evil.example", "evil.example.local.com", "x.notlocal", "evil.homearpa", "x.arpa"],
    ...["127.0.0.1.evil.example", "127.1", "0x7f.1", "127.0.0.256", "127.0.0.1:", "127.0.0.1:x"],
    ...["127.0.0.1:8080:80", "localhost:123456", "::1", "[::1", "::1]", "[]", "[evil.example]"],
    ...["[::1%25eth0]", "[::1].evil.example", "[::1]x", "[127.0.0.1]", "[::1]@evil.example"],
    ...["a, a", "localhost, localhost", "localhost,evil.example", "localhost evil.example"],
    ...["me@localhost", "localhost/x", "localhost?x", "http://localhost", "localhost#.local"],
    ...["evil.example/.local", "evil.example\\.local", "é.local", "localhost\u0000", "ｌocalhost"],
    ...["x.proxy.example.com", "example.com.proxy", "proxy.example.com..", "two.three"],
    ...[`${"a".repeat(64)}.local`, `${"a.".repeat(127)}local`, "a".repeat(64)],
  ])("returns false for %j", (host) => {
    expect(isLocalHost(host, trusted)).toBe(false);
  });
});

describe.each(PATHS)("%s", (path) => {
  test.each(["localhost", "127.0.0.1:8080", "[::1]", "proxy", "gpu.local", "p.example.com"])(
    "answers in full under the Host %j, and no web page may read it",
    async (host) => {
      using proxy = start({ trustedHosts: ["p.example.com"] });
      const answer = await get(proxy, path, `Host: ${host}`, `Origin: http://${host}`);
      expect(answer).toStartWith("HTTP/1.1 200 ");
      expect(answer).toContain(SECRET);
      expect(answer.toLowerCase()).not.toContain("access-control");
      expect(proxy.log.lines).toEqual([]);
    },
  );

  test.each<[what: string, lines: readonly string[]]>([
    ["a public name", ["Host: rebind.evil.example"]],
    ["two Hosts", ["Host: localhost", "Host: evil.example"]],
    ["the same Host twice", ["Host: localhost", "Host: localhost"]],
    ["an empty Host", ["Host:"]],
    ["a Host with a user", ["Host: me@localhost"]],
    ["a Host with a path", ["Host: evil.example/.local"]],
  ])("is a 404 for %s", async (_what, lines) => {
    using proxy = start();
    const answer = await get(proxy, path, ...lines, "Origin: http://evil.example");
    expect(answer).toStartWith("HTTP/1.1 404 ");
    expect(answer).toContain('"code":"not_found"');
    expect(answer).toContain("PROXY_TRUSTED_HOSTS");
    expect(answer).not.toContain(SECRET);
    expect(answer.toLowerCase()).not.toContain("access-control");
  });

  test("is a 404 without a Host, as HTTP/1.0 allows", async () => {
    using proxy = start();
    const answer = await ask(proxy, `GET ${path} HTTP/1.0`);
    expect([answer.split(" ")[1], answer.includes(SECRET)]).toEqual(["404", false]);
  });

  test.each(["localhost", "evil.example"])(
    "HEAD under the Host %s has the headers of GET",
    async (host) => {
      using proxy = start();
      const heads = ["GET", "HEAD"].map(async (method) => {
        const answer = await ask(proxy, `${method} ${path} HTTP/1.1`, `Host: ${host}`);
        return answer.split("\r\n\r\n");
      });
      const [got, head] = await Promise.all(heads);
      const stable = (text = ""): readonly string[] =>
        text
          .toLowerCase()
          .split("\r\n")
          .filter((line) => !line.startsWith("date:"));
      expect(stable(head?.[0])).toEqual(stable(got?.[0]));
      expect([head?.[1], got?.[1] === ""]).toEqual(["", false]);
    },
  );

  test.each<[method: string, more: readonly string[]]>([
    ["POST", []],
    ["OPTIONS", ["Access-Control-Request-Method: GET"]],
    ["TRACE", []],
    ["GET", ["X-Forwarded-For: 10.0.0.1"]],
    ["GET", ["Forwarded: for=10.0.0.1"]],
  ])("refuses %s with %p, and no web page may read the refusal", async (method, more) => {
    using proxy = start({ trustedHosts: ["p.example.com"] });
    const head = ["Host: p.example.com", "Origin: http://page.test", ...more];
    const answer = await ask(proxy, `${method} ${path} HTTP/1.1`, ...head);
    expect(Number(answer.split(" ")[1])).toBeGreaterThanOrEqual(404);
    expect(answer).not.toContain(SECRET);
    expect(answer.toLowerCase()).not.toContain("access-control");
    expect(proxy.log.lines).toEqual([]);
  });

  test("names the Host in its error, escaped and cut", async () => {
    using proxy = start();
    const answer = await get(proxy, path, `Host: \u009b2J${"x".repeat(1_000)}.example`);
    expect(answer).toStartWith("HTTP/1.1 404 ");
    const body = Buffer.from(answer.split("\r\n\r\n")[1] ?? "", "latin1").toString();
    const { error } = JSON.parse(body) as { readonly error: { readonly message: string } };
    expect(error.message).toContain("u009b2Jxxx");
    expect(error.message.length).toBeLessThan(300);
    expect(error.message).not.toMatch(/\p{Cc}/u);
  });
});

const HINT = "/metrics is off; set PROXY_METRICS=true";
const NO_HINT = "the API is below /v1/";

test.each<[method: string, lines: readonly string[], says: string]>([
  ["GET", ["Host: localhost"], HINT],
  ["GET", ["Host: p.example.com"], HINT],
  ["GET", ["Host: evil.example"], NO_HINT],
  ["GET", ["Host: localhost", "X-Forwarded-For: 10.0.0.1"], NO_HINT],
  ["GET", ["Host: localhost", "Forwarded: for=10.0.0.1"], NO_HINT],
  ["POST", ["Host: localhost", "Content-Length: 0"], NO_HINT],
])(
  "/metrics that is off is a 404 for %s %p, and no web page may read it",
  async (method, lines, says) => {
    using proxy = startProxy({ trustedHosts: ["p.example.com"] });
    const head = [...lines, "Origin: http://page.test"];
    const answer = await ask(proxy, `${method} /metrics HTTP/1.1`, ...head);
    expect(answer).toStartWith("HTTP/1.1 404 ");
    expect(answer).toContain(`"message":"Cannot serve the request: ${says}"`);
    expect(answer.toLowerCase()).not.toContain("access-control");
    expect(proxy.log.lines).toEqual([]);
  },
);

test("the proxy's public answers work under any Host, and web pages may read them", async () => {
  using proxy = start();
  for (const path of ["/healthz", "/readyz", "/v1/models"]) {
    const answer = await get(proxy, path, "Host: evil.example", "Origin: http://page.test");
    expect(answer).toStartWith("HTTP/1.1 200 ");
    expect(answer.toLowerCase()).toContain("access-control-allow-origin: *");
  }
});

test("the log names each refused Host once, and at most ten Hosts in all", async () => {
  using proxy = start();
  for (let round = 0; round < 2; round += 1) {
    for (let n = 0; n < 15; n += 1) {
      for (const path of PATHS) await get(proxy, path, `Host: ${"x".repeat(200)}${n}.example`);
      await get(proxy, "/status", `Host: h${n}.example`);
      await get(proxy, "/status", `Host: H${n}.EXAMPLE`);
    }
  }
  expect(proxy.log.lines).toHaveLength(10);
  const hosts = proxy.log.lines.map(({ level, host }) => [level, String(host)] as const);
  expect(hosts.slice(0, 3)).toEqual([
    ["warn", "x".repeat(100)],
    ["warn", "h0.example"],
    ["warn", "h1.example"],
  ]);
  expect(new Set(hosts.map(([, host]) => host)).size).toBe(10);
});
