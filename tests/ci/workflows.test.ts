/** The workflows of GitHub can't run here: they are held to their schema, and to calling nothing but tested scripts. */
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

type Job = {
  readonly permissions?: Readonly<Record<string, string>>;
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

/** What a job may do beyond reading the code, and nothing else. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  "release.yml binaries": ["attestations", "contents", "id-token"],
  "release.yml image": ["id-token", "packages"],
};

test("there are the gate, the release and the nightly run", () => {
  expect(WORKFLOWS.map(([file]) => file).sort()).toEqual([
    "gate.yml",
    "nightly.yml",
    "release.yml",
  ]);
});

describe.each(WORKFLOWS)("%s", (file, text, workflow) => {
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps ?? []);

  test("is valid by GitHub's schema", () => {
    // The package's schema is older than this permission, which attest-build-provenance asks for.
    const known = text.replace("      attestations: write\n", "");
    expect(validateWorkflow(known).errors).toEqual([]);
  });

  test("every action is pinned by a commit, with its version beside it", () => {
    for (const { uses } of steps) {
      if (uses === undefined) continue;
      expect(uses).toMatch(/^[\w-]+\/[\w-]+@[\da-f]{40}$/);
      expect(text).toMatch(new RegExp(`${uses} # v\\d+\\.\\d+\\.\\d+\n`));
    }
  });

  test("every command is a script of package.json", () => {
    for (const { run } of steps) {
      if (run === undefined) continue;
      const script = /^npm run ([\w:]+)$/.exec(run)?.[1];
      expect(Object.keys(packageFile.scripts)).toContain(script ?? run);
    }
  });

  test("jobs may do only what they must, and end", () => {
    expect(workflow.permissions).toEqual({});
    for (const [name, job] of jobs) {
      const { permissions = {} } = job;
      const writes = Object.keys(permissions).filter((what) => permissions[what] === "write");
      expect(writes.sort()).toEqual([...(WRITES[`${file} ${name}`] ?? [])]);
      if (job.uses === undefined) expect(job["timeout-minutes"]).toBeWithin(1, 61);
    }
  });

  test("no checkout leaves its token behind", () => {
    for (const step of steps) {
      if (step.uses?.startsWith("actions/checkout@"))
        expect(step.with).toEqual({ "persist-credentials": false });
    }
  });
});

test("the schema check can fail", () => {
  const broken = "on: push\njobs:\n  a:\n    runs-on: x\n    stepz: []\n";
  expect(validateWorkflow(broken).errors.length).toBeGreaterThan(0);
});
