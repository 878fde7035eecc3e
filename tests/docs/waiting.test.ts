/** docs/waiting.md and compose.yaml agree with the code and with the tested front proxies about requests that wait. */
import { describe, expect, test } from "bun:test";
import { loadConfig } from "../../src/config.ts";
import { METRICS } from "../../src/telemetry/metrics.ts";
import { readText } from "../support/docs.ts";

const DOCS = readText("docs/waiting.md");
const { proxy, traefik } = (
  Bun.YAML.parse(readText("compose.yaml")) as {
    readonly services: Readonly<
      Record<
        string,
        {
          readonly environment?: Readonly<Record<string, string>>;
          readonly command?: readonly string[];
        }
      >
    >;
  }
).services;
const WAIT = proxy?.environment?.["PROXY_WAIT_TIMEOUT"] ?? "";

/** Reads a duration as the proxy, nginx and HAProxy write it. @returns ms */
function ms(text: string): number {
  const loaded = loadConfig({ PROXY_WAIT_TIMEOUT: text });
  expect(loaded).toMatchObject({ kind: "config" });
  return loaded.kind === "config" ? loaded.config.waitTimeoutMs : 0;
}

test("the page has the value of compose.yaml, and names the metrics correctly", () => {
  expect(DOCS).toContain(`\`${WAIT}\` in compose.yaml`);
  for (const { name } of [METRICS.waiting, METRICS.waitDuration])
    expect(DOCS).toContain(`\`${name}\``);
});

describe("front proxies wait longer than compose.yaml lets requests wait", () => {
  test.each<[file: string, setting: string, count: number]>([
    ["nginx.conf", "proxy_read_timeout", 1],
    ["nginx.conf", "proxy_send_timeout", 1],
    ["haproxy.cfg", "timeout client", 1],
    ["haproxy.cfg", "timeout server", 1],
  ])("%s: %s", (file, setting, count) => {
    const text = readText(`tests/support/front-proxies/config/${file}`);
    const values = [...text.matchAll(new RegExp(`^\\s*${setting}\\s+(\\w+)`, "gm"))];
    expect(values).toHaveLength(count);
    // Twice as long, because the first token may be late too.
    for (const [, value = ""] of values) expect(ms(value)).toBeGreaterThan(2 * ms(WAIT));
  });

  test("Traefik has no time-out for a silent request or for the head of an answer", () => {
    const command = traefik?.command?.join("\n") ?? "";
    expect(command).toContain("respondingtimeouts.readtimeout=0");
    expect(command).not.toMatch(/writetimeout|responseheadertimeout/i);
  });
});
