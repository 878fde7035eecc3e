/** What the README tells operators to copy is what the tests run. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadListenAddress, VARIABLES } from "../src/config.ts";
import { NGINX_VALUES } from "./support/front-proxies/programs.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const ROOT = join(import.meta.dir, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const UNIT_FILE = "deploy/systemd/lw-inference-proxy.service";
const UNIT = readFileSync(join(ROOT, UNIT_FILE), "utf8");

function block(language: string): string {
  const blocks = [...README.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"))];
  expect(blocks).toHaveLength(1);
  return blocks[0]?.[1] ?? "";
}

/** The lines that say something, however far they and their comments are indented. */
function lines(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "))
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function configuration(file: string, values: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(ROOT, "tests/support/front-proxies/config", file), "utf8");
  for (const [key, value] of Object.entries(values)) text = text.replaceAll(`@${key}@`, value);
  return text;
}

describe("what stands in front of the proxy", () => {
  test("nginx's location is the tested one", () => {
    const tested = lines(configuration("nginx.conf", { PROXY: "8080", ...NGINX_VALUES }));
    const shown = lines(block("nginx"));
    expect(tested.join("\n")).toContain(shown.join("\n"));
    const map = tested.find((line) => line.startsWith("map "));
    expect(README).toContain(`\`${map}\``);
  });

  test("HAProxy's configuration is the tested one", () => {
    const tested = configuration("haproxy.cfg", { LISTEN: "80", PROXY: "8080" });
    expect(lines(block("haproxy"))).toEqual(lines(tested.replace("127.0.0.1:80\n", ":80\n")));
  });

  test("Caddy's line is the tested one", () => {
    const line = "reverse_proxy 127.0.0.1:8080";
    expect(lines(configuration("Caddyfile", { LISTEN: "80", PROXY: "8080" }))).toContain(line);
    expect(README).toContain(`\`${line}\``);
  });

  test("is the only way in: the proxy listens on loopback", () => {
    const { address } = loadListenAddress({ PROXY_HOST: "127.0.0.1" }) as {
      readonly address: object;
    };
    expect(address).toEqual({ host: "127.0.0.1", port: 8080 });
    const section = README.split("### Behind nginx")[1]?.split("\n### ")[0] ?? "";
    expect(section).toContain("PROXY_HOST=127.0.0.1");
    expect(lines(UNIT)).toContain("Environment=PROXY_HOST=127.0.0.1");
  });
});

describe("the systemd unit", () => {
  test("is the file that the README names, and has people install", () => {
    expect(README).toContain(`[${UNIT_FILE}](${UNIT_FILE})`);
    expect(README).toContain(`install -m 644 ${UNIT_FILE} /etc/systemd/system/\n`);
  });

  test("waits for answers longer than the proxy does, and has room for many", () => {
    expect(VARIABLES.PROXY_DRAIN_TIMEOUT.default).toBe("60s");
    expect(lines(UNIT)).toContain("TimeoutStopSec=75s");
    expect(lines(UNIT)).toContain("LimitNOFILE=65536");
  });

  test.skipIf(Bun.which("systemd-analyze") === null)("is valid, and exposes little", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "lw-inference-proxy.service");
    const program = "/usr/local/bin/lw-inference-proxy";
    expect(UNIT).toContain(`ExecStart=${program}\n`);
    writeFileSync(path, UNIT.replace(program, process.execPath)); // it has to exist
    const analyze = async (...args: readonly string[]): Promise<readonly [number, string]> => {
      const command = ["systemd-analyze", ...args, path];
      const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
      const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
      return [await child.exited, args[0] === "verify" ? output + errors : ""];
    };
    expect(await analyze("verify", "--man=no")).toEqual([0, ""]);
    // In tenths: 1.6 when it was written.
    expect((await analyze("security", "--offline=yes", "--threshold=20"))[0]).toBe(0);
  });
});
