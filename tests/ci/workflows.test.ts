/**
 * GitHub's workflows cannot run here. These tests check them against
 * their schema, and that they call only tested scripts.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { validateWorkflow } from "@action-validator/core";
import packageFile from "../../package.json" with { type: "json" };

const FOLDER = join(import.meta.dir, "../../.github/workflows");

type Step = {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
};

/** What a job with write permission runs besides the scripts in .ci/. No entry builds or installs packages. */
const PUBLISHING_ACTIONS = [
  "actions/attest-build-provenance",
  "actions/checkout",
  "actions/download-artifact",
  "sigstore/cosign-installer",
];

type Job = {
  readonly needs?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly "timeout-minutes"?: number;
  readonly uses?: string;
};

type Workflow = {
  readonly permissions?: object;
  readonly jobs: Readonly<Record<string, Job>>;
};

const WORKFLOWS = readdirSync(FOLDER).map((file): [string, string, Workflow] => {
  const text = readFileSync(join(FOLDER, file), "utf8");
  return [file, text, Bun.YAML.parse(text) as Workflow];
});

/** Every permission of a job beyond reading the code. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  "release.yml binaries": ["attestations", "contents", "id-token"],
  "release.yml image": ["id-token", "packages"],
};

/** The scripts that run with write permission, by the command that starts them. */
const PUBLISHING = new Map(
  ["check-binaries.sh", "publish-binaries.sh", "publish-image.sh"].map((file) => [
    `bash .ci/${file}`,
    readFileSync(join(FOLDER, "../../.ci", file), "utf8"),
  ]),
);

test.each([...PUBLISHING])("%s starts only the expected programs", (_, text) => {
  const code = text.replaceAll(/^ *#.*$/gm, "");
  expect(code).not.toMatch(/\b(npm|npx|node|bun|bunx|curl|wget|eval|buildx?)\b|dist\/lw-/);
  const sourced = [...code.matchAll(/^(?:\.|bash|source) (\S+)|\$\(bash (\S+)\)/gm)].map(
    ([, first, second]) => first ?? second,
  );
  for (const file of sourced)
    expect([".ci/release-version.sh", ".ci/check-binaries.sh"]).toContain(file ?? "");
  expect(sourced).toContain(".ci/release-version.sh");
});

test("the publishing jobs fetch all tags, and check the artifact against what the build job reported", () => {
  const release = WORKFLOWS.find(([file]) => file === "release.yml")?.[2];
  for (const [name, told] of [
    ["binaries", "sums"],
    ["image", "digest"],
  ] as const) {
    const { steps = [], env } = release?.jobs[name] ?? {};
    const checkout = steps.find(({ uses }) => uses?.startsWith("actions/checkout@"));
    expect(checkout?.with).toMatchObject({ "fetch-depth": 0 });
    expect(env).toEqual({ [told.toUpperCase()]: `\${{ needs.build.outputs.${told} }}` });
    const artifact = steps.find(({ uses }) => uses?.startsWith("actions/download-artifact@"));
    expect(artifact?.with).toEqual({ name, path: "dist" });
  }
  const { steps: built = [] } = release?.jobs["build"] ?? {};
  const uploads = built.filter(({ uses }) => uses?.startsWith("actions/upload-artifact@"));
  expect(uploads.map((step) => step.with?.["name"])).toEqual(["binaries", "image"]);
});

test("the workflows are gate, nightly and release", () => {
  expect(WORKFLOWS.map(([file]) => file).sort()).toEqual([
    "gate.yml",
    "nightly.yml",
    "release.yml",
  ]);
});

describe.each(WORKFLOWS)("%s", (file, text, workflow) => {
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps ?? []);

  test("matches GitHub's schema", () => {
    // The package's schema is older than this permission, which attest-build-provenance needs.
    const known = text.replace("      attestations: write\n", "");
    expect(validateWorkflow(known).errors).toEqual([]);
  });

  test("every action is pinned to a commit, with its version in a comment", () => {
    for (const { uses } of steps) {
      if (uses === undefined) continue;
      expect(uses).toMatch(/^[\w-]+\/[\w-]+@[\da-f]{40}$/);
      expect(text).toMatch(new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+\n`));
    }
  });

  test("every command is a script of package.json or a publishing script", () => {
    for (const { run } of steps) {
      if (run === undefined || PUBLISHING.has(run)) continue;
      const script = /^npm run ([\w:]+)$/.exec(run)?.[1];
      expect(Object.keys(packageFile.scripts)).toContain(script ?? run);
    }
  });

  const writing = jobs.filter(([, { permissions = {} }]) =>
    Object.values(permissions).includes("write"),
  );

  test("a job with write permission runs nothing that was installed or built", () => {
    for (const { run, uses } of writing.flatMap(([, job]) => job.steps ?? [])) {
      if (uses !== undefined) expect(PUBLISHING_ACTIONS).toContain(uses.split("@")[0] ?? "");
      else expect([...PUBLISHING.keys()]).toContain(run ?? "");
    }
  });

  test("a job with write permission needs the build, which can only read and needs the gate", () => {
    for (const [, { needs }] of writing) {
      expect(needs).toBe("build");
      expect(workflow.jobs["build"]).toMatchObject({ needs: "gate" });
      expect(workflow.jobs["build"]?.permissions).toEqual({ contents: "read" });
    }
  });

  test("every job has only the permissions that it needs, and a time limit", () => {
    expect(workflow.permissions).toEqual({});
    for (const [name, job] of jobs) {
      const { permissions = {} } = job;
      const writes = Object.keys(permissions).filter((what) => permissions[what] === "write");
      expect(writes.sort()).toEqual([...(WRITES[`${file} ${name}`] ?? [])]);
      if (job.uses === undefined) expect(job["timeout-minutes"]).toBeWithin(1, 61);
    }
  });

  test("no checkout keeps its token", () => {
    for (const step of steps) {
      if (step.uses?.startsWith("actions/checkout@"))
        expect(step.with).toMatchObject({ "persist-credentials": false });
    }
  });

  test("a value from outside reaches a shell only through its environment", () => {
    for (const { run } of steps) expect(run ?? "").not.toContain("${{");
  });
});

test("the schema check finds a broken workflow", () => {
  const broken = "on: push\njobs:\n  a:\n    runs-on: x\n    stepz: []\n";
  expect(validateWorkflow(broken).errors.length).toBeGreaterThan(0);
});
