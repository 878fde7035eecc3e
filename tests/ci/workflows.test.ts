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

/** What a job that may write runs beside the scripts of .ci/: none of it builds or installs packages. */
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

/** What a job may do beyond reading the code, and nothing else. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  "release.yml binaries": ["attestations", "contents", "id-token"],
  "release.yml image": ["id-token", "packages"],
};

/** The scripts that run where the right to write is, by the command that starts them. */
const PUBLISHING = new Map(
  ["check-binaries.sh", "publish-binaries.sh", "publish-image.sh"].map((file) => [
    `bash .ci/${file}`,
    readFileSync(join(FOLDER, "../../.ci", file), "utf8"),
  ]),
);

test.each([...PUBLISHING])("%s starts no program but these", (_, text) => {
  const code = text.replaceAll(/^ *#.*$/gm, "");
  expect(code).not.toMatch(/\b(npm|npx|node|bun|bunx|curl|wget|eval|buildx?)\b|dist\/lw-/);
  const sourced = [...code.matchAll(/^(?:\.|bash|source) (\S+)|\$\(bash (\S+)\)/gm)].map(
    ([, first, second]) => first ?? second,
  );
  for (const file of sourced)
    expect([".ci/release-version.sh", ".ci/check-binaries.sh"]).toContain(file ?? "");
  expect(sourced).toContain(".ci/release-version.sh");
});

test("the publishing jobs read all tags, and get what the build told them", () => {
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

  test("every command is a script of package.json, or one that publishes", () => {
    for (const { run } of steps) {
      if (run === undefined || PUBLISHING.has(run)) continue;
      const script = /^npm run ([\w:]+)$/.exec(run)?.[1];
      expect(Object.keys(packageFile.scripts)).toContain(script ?? run);
    }
  });

  const writing = jobs.filter(([, { permissions = {} }]) =>
    Object.values(permissions).includes("write"),
  );

  test("who may write runs nothing that was installed or built", () => {
    for (const { run, uses } of writing.flatMap(([, job]) => job.steps ?? [])) {
      if (uses !== undefined) expect(PUBLISHING_ACTIONS).toContain(uses.split("@")[0] ?? "");
      else expect([...PUBLISHING.keys()]).toContain(run ?? "");
    }
  });

  test("who may write comes after the build, which may not, and that after the gate", () => {
    for (const [, { needs }] of writing) {
      expect(needs).toBe("build");
      expect(workflow.jobs["build"]).toMatchObject({ needs: "gate" });
      expect(workflow.jobs["build"]?.permissions).toEqual({ contents: "read" });
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
        expect(step.with).toMatchObject({ "persist-credentials": false });
    }
  });

  test("what comes from elsewhere reaches a shell by its environment alone", () => {
    for (const { run } of steps) expect(run ?? "").not.toContain("${{");
  });
});

test("the schema check can fail", () => {
  const broken = "on: push\njobs:\n  a:\n    runs-on: x\n    stepz: []\n";
  expect(validateWorkflow(broken).errors.length).toBeGreaterThan(0);
});
