/** What docs/operating.md says of states, of the systemd unit and of commands is so. */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { VARIABLES } from "../../src/config.ts";
import { SERVER_STATES } from "../../src/fleet/condition.ts";
import { readText, tableOf } from "../support/docs.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const DOCS = readText("docs/operating.md");
const UNIT_FILE = "deploy/systemd/lw-inference-proxy.service";
const UNIT = readText(UNIT_FILE);
/** The lines of the unit that are no comments. */
const UNIT_LINES = UNIT.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("docs/operating.md explains every state of a container, in the order of the code", () => {
  expect(tableOf(DOCS, "State").map(([state]) => state)).toEqual([...SERVER_STATES]);
});

describe("the systemd unit", () => {
  test("is the file that the page names and installs", () => {
    expect(DOCS).toContain(`[${UNIT_FILE}](../${UNIT_FILE})`);
    expect(DOCS).toContain(`install -m 644 ${UNIT_FILE} /etc/systemd/system/\n`);
  });

  test("waits for answers longer than the proxy does, and has room for many", () => {
    expect(VARIABLES.PROXY_DRAIN_TIMEOUT.default).toBe("60s");
    expect(UNIT_LINES).toContain("TimeoutStopSec=75s");
    expect(UNIT_LINES).toContain("LimitNOFILE=65536");
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
