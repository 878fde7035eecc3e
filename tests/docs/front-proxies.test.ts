/** What docs/front-proxies.md tells operators to copy is what the tests run. */
import { describe, expect, test } from "bun:test";
import { loadListenAddress } from "../../src/config.ts";
import { codeBlocks, readText } from "../support/docs.ts";
import { NGINX_VALUES } from "../support/front-proxies/programs.ts";

const DOCS = readText("docs/front-proxies.md");
const UNIT = readText("deploy/systemd/lw-inference-proxy.service");

function block(language: string): string {
  const blocks = codeBlocks(DOCS, language);
  expect(blocks).toHaveLength(1);
  return blocks[0] ?? "";
}

/** The lines that say something, however far they and their comments are indented. */
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

describe("what stands in front of the proxy", () => {
  test("nginx's location is the tested one", () => {
    const tested = lines(configuration("nginx.conf", { PROXY: "8080", ...NGINX_VALUES }));
    const shown = lines(block("nginx"));
    expect(tested.join("\n")).toContain(shown.join("\n"));
    const map = tested.find((line) => line.startsWith("map "));
    expect(DOCS).toContain(`\`${map}\``);
  });

  test("HAProxy's configuration is the tested one", () => {
    const tested = configuration("haproxy.cfg", { LISTEN: "80", PROXY: "8080" });
    expect(lines(block("haproxy"))).toEqual(lines(tested.replace("127.0.0.1:80\n", ":80\n")));
  });

  test("Caddy's line is the tested one", () => {
    const line = "reverse_proxy 127.0.0.1:8080";
    expect(lines(configuration("Caddyfile", { LISTEN: "80", PROXY: "8080" }))).toContain(line);
    expect(DOCS).toContain(`\`${line}\``);
  });

  test("is the only way in: the proxy listens on loopback", () => {
    const { address } = loadListenAddress({ PROXY_HOST: "127.0.0.1" }) as {
      readonly address: object;
    };
    expect(address).toEqual({ host: "127.0.0.1", port: 8080 });
    expect(DOCS).toContain("PROXY_HOST=127.0.0.1");
    expect(lines(UNIT)).toContain("Environment=PROXY_HOST=127.0.0.1");
  });
});
