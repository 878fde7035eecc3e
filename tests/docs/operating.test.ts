/** docs/operating.md matches the code: states, output and fields of status, commands, and the systemd unit. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseStatus, renderStatus } from "../../src/cli/table.ts";
import { VARIABLES } from "../../src/config.ts";
import { SERVER_STATES } from "../../src/fleet/condition.ts";
import type { ContainerStatus, Status } from "../../src/status.ts";
import { codeBlocks, ROOT, readText, tableOf } from "../support/docs.ts";
import { containerStatus, STARTED_MS, statusReply } from "../support/proxy/status-reply.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const DOCS = readText("docs/operating.md");
const UNIT_FILE = "deploy/systemd/lw-inference-proxy.service";
const UNIT = readText(UNIT_FILE);
/** The lines of the unit without its comments. */
const UNIT_LINES = UNIT.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("docs/operating.md explains every state of a container, in the order of the code", () => {
  expect(tableOf(DOCS, "State").map(([state]) => state)).toEqual([...SERVER_STATES]);
});

const RECENT = {
  last_5_minutes: {
    ...{ requests: 41, failed: 1, statuses: { "2xx": 40 }, errors: { backend_unreachable: 1 } },
    ...{ first_chunk_ms: { p50: 120, p95: 480 }, pieces_per_second: 60 },
    ...{ tokens_per_second: 58, input_tokens: 9_000, output_tokens: 8_000 },
  },
  last_hour: {},
  requests_per_10_seconds: [],
};

const MODELS = [
  {
    ...{ id: "Qwen/Qwen3-0.6B", waiting: 0, in_flight: 3, recent: RECENT },
    servers: [{ container: "vllm-1", gets: "all" }],
  },
];

const CONTAINERS = [
  containerStatus({
    ...{ name: "llama-1", state: "starting", address: "http://172.18.0.4:8080", in_flight: 0 },
    ...{ models: [], reason: "waiting for its health check to pass" },
  }),
  containerStatus({ models: ["Qwen/Qwen3-0.6B"], address: "http://172.18.0.3:8000" }),
];

/** Fields that a proxy without replicas and without a swarm does not fill in. */
const OTHER_FIELDS: Pick<Status, "swarm" | "changes"> & Partial<ContainerStatus> = {
  requests_last_minute: { prefix: 1, load: 1, only: 0, failover: 0 },
  last_exit: { reason: "", at: null },
  changes: [{ at: "", what: "engine", name: "", state: "", reason: "", times: 1 }],
  swarm: {
    ...{ state: "followed", reason: null, since: "" },
    services: [
      {
        ...{ id: "", name: "", replicas: 1, routed: 1, update: null, reason: "" },
        tasks: [{ id: "", name: "", node: "", state: "", desired_state: "", reason: "" }],
      },
    ],
  },
};

describe("docs/operating.md", () => {
  test("shows the output of status as the command prints it", () => {
    const parsed = parseStatus(
      JSON.stringify(statusReply({ containers: CONTAINERS, models: MODELS })),
    );
    const shown = renderStatus(parsed!, STARTED_MS + 11_045_000);
    expect(codeBlocks(DOCS, "text")).toEqual([shown.replaceAll(/ +$/gm, "")]);
  });

  test("explains every field of the JSON", () => {
    const all = [statusReply({ containers: CONTAINERS, models: MODELS }), OTHER_FIELDS];
    for (const name of fieldsOf(all)) expect(DOCS).toContain(`\`${name}\``);
  });

  test("installs the binary and the unit with modes that systemd accepts", async () => {
    const [commands = ""] = codeBlocks(DOCS, "sh").filter((text) => text.startsWith("install "));
    using directory = temporaryDirectory();
    const root = directory.path;
    for (const path of ["dist", "usr/local/bin", "etc/systemd/system"])
      mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, "dist/lw-inference-proxy"), "");
    const script = commands
      .replaceAll(/ (\/(?:usr|etc)\/)/g, ` ${root}$1`)
      .replace(" dist/", ` ${root}/dist/`);
    const { exited } = Bun.spawn(["sh", "-euc", script], { cwd: ROOT, stderr: "inherit" });
    expect(await exited).toBe(0);
    const modeOf = (path: string): string => (statSync(join(root, path)).mode & 0o777).toString(8);
    expect(modeOf("usr/local/bin/lw-inference-proxy")).toBe("755");
    expect(modeOf("etc/systemd/system/lw-inference-proxy.service")).toBe("644");
  });
});

/** Every name of a field, except those of counts by class of status and by error code. */
function fieldsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    name,
    ...(name === "statuses" || name === "errors" ? [] : fieldsOf(inner)),
  ]);
}

describe("the systemd unit", () => {
  test("is the file that the page names", () => {
    expect(DOCS).toContain(`[${UNIT_FILE}](../${UNIT_FILE})`);
  });

  test("waits longer for answers than the proxy does, and allows many open files", () => {
    expect(VARIABLES.PROXY_DRAIN_TIMEOUT.default).toBe("60s");
    expect(UNIT_LINES).toContain("TimeoutStopSec=75s");
    expect(UNIT_LINES).toContain("LimitNOFILE=65536");
  });

  test.skipIf(Bun.which("systemd-analyze") === null)("is valid, and exposes little", async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "lw-inference-proxy.service");
    const program = "/usr/local/bin/lw-inference-proxy";
    expect(UNIT).toContain(`ExecStart=${program}\n`);
    writeFileSync(path, UNIT.replace(program, process.execPath)); // the program must exist
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
