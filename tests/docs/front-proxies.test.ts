/** The configurations in docs/front-proxies.md are those that the tests run, and those of compose.yaml. */
import { describe, expect, test } from "bun:test";
import { loadListenAddress } from "../../src/config.ts";
import { codeBlocks, readText } from "../support/docs.ts";
import { isInstalled, NGINX_VALUES, startFrontProxy } from "../support/front-proxies/programs.ts";
import { startProxy } from "../support/proxy/in-process.ts";

const DOCS = readText("docs/front-proxies.md");
const UNIT = readText("deploy/systemd/lw-inference-proxy.service");

type Compose = { readonly services: Readonly<Record<string, object>> };

function block(language: string): string {
  const blocks = codeBlocks(DOCS, language);
  expect(blocks).toHaveLength(1);
  return blocks[0] ?? "";
}

/** The lines without comment lines and empty lines, and with single spaces. */
function lines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "))
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function configuration(file: string, values: Readonly<Record<string, string>>): string {
  let text = readText(`tests/support/front-proxies/config/${file}`);
  for (const [key, value] of Object.entries(values)) text = text.replaceAll(`@${key}@`, value);
  return text;
}

describe("docs/front-proxies.md", () => {
  test("shows the tested map and server for nginx", () => {
    const values = { LISTEN: "80", PROXY: "8080", ...NGINX_VALUES };
    const tested = lines(configuration("nginx.conf", values)).join("\n");
    expect(tested.replace("127.0.0.1:80;", "80;")).toContain(lines(block("nginx")).join("\n"));
  });

  test("shows the tested configuration for HAProxy", () => {
    const tested = configuration("haproxy.cfg", { LISTEN: "80", PROXY: "8080" });
    expect(lines(block("haproxy"))).toEqual(lines(tested.replace("127.0.0.1:80\n", ":80\n")));
  });

  test("shows the tested site for Caddy", () => {
    const tested = configuration("Caddyfile", { LISTEN: "80", PROXY: "8080" });
    const site = lines(tested.slice(tested.indexOf("http://")));
    expect(lines(block("caddy"))).toEqual(site.filter((line) => line !== "bind 127.0.0.1"));
  });

  test("shows Traefik's settings as compose.yaml has them", () => {
    const { services: shown } = Bun.YAML.parse(block("yaml")) as Compose;
    const { services } = Bun.YAML.parse(readText("compose.yaml")) as Compose;
    expect(Object.keys(shown)).toEqual(["traefik", "proxy"]);
    for (const [name, settings] of Object.entries(shown))
      expect(services[name]).toMatchObject(settings);
  });

  test.skipIf(!isInstalled()).each(["HAProxy", "Caddy"] as const)(
    "keeps internal pages closed behind %s, which passes on every path",
    async (name) => {
      using proxy = startProxy();
      await using front = await startFrontProxy(name, proxy.port);
      const headers = { accept: "text/html" };
      const statusOf = async (port: number, path: string): Promise<number> =>
        (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status;
      expect(await statusOf(front.port, "/healthz")).toBe(200);
      for (const path of ["/", "/sd/prometheus"]) {
        expect(await statusOf(front.port, path)).toBe(404);
        expect(await statusOf(proxy.port, path)).toBe(200);
      }
    },
  );

  test("lets the proxy listen on loopback only, as the unit does", () => {
    const { address } = loadListenAddress({ PROXY_HOST: "127.0.0.1" }) as {
      readonly address: object;
    };
    expect(address).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(DOCS).toContain("PROXY_HOST=127.0.0.1");
    expect(lines(UNIT)).toContain("Environment=PROXY_HOST=127.0.0.1");
  });
});
