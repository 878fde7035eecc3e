/** What the README and compose.yaml say of requests that wait is what the code and the tested configurations do. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../src/config.ts";
import { METRICS } from "../src/telemetry/metrics.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const SECTION = read("README.md").split("## When a server is replaced")[1]?.split("\n## ")[0] ?? "";
const { proxy, traefik } = (
  Bun.YAML.parse(read("compose.yaml")) as {
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

/** A duration as the proxy, nginx and HAProxy write it, in ms. */
function ms(text: string): number {
  const loaded = loadConfig({ PROXY_WAIT_TIMEOUT: text });
  expect(loaded).toMatchObject({ kind: "config" });
  return loaded.kind === "config" ? loaded.config.waitTimeoutMs : 0;
}

test("the section has the value of compose.yaml, and names the metrics as they are called", () => {
  expect(SECTION).toContain(`\`${WAIT}\` in compose.yaml`);
  for (const { name } of [METRICS.waiting, METRICS.waitDuration])
    expect(SECTION).toContain(`\`${name}\``);
});

describe("what stands in front waits longer than compose.yaml lets requests wait", () => {
  test.each<[file: string, setting: string, count: number]>([
    ["nginx.conf", "proxy_read_timeout", 1],
    ["nginx.conf", "proxy_send_timeout", 1],
    ["haproxy.cfg", "timeout client", 1],
    ["haproxy.cfg", "timeout server", 1],
  ])("%s: %s", (file, setting, count) => {
    const text = read(`tests/support/front-proxies/config/${file}`);
    const values = [...text.matchAll(new RegExp(`^\\s*${setting}\\s+(\\w+)`, "gm"))];
    expect(values).toHaveLength(count);
    // Twice as long: the first token may be late, too.
    for (const [, value = ""] of values) expect(ms(value)).toBeGreaterThan(2 * ms(WAIT));
  });

  test("Traefik: no time-out for a request that stands still, nor for the head of an answer", () => {
    const command = traefik?.command?.join("\n") ?? "";
    expect(command).toContain("respondingtimeouts.readtimeout=0");
    expect(command).not.toMatch(/writetimeout|responseheadertimeout/i);
  });
});
