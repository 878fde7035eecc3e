/** The script publishes exactly the files that were built. A stand-in for gh records its arguments. */
import { describe, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeShallow, type ReleaseClone, releaseClone } from "../support/release/clone.ts";
import { type StandIns, standIns } from "../support/release/stand-ins.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const NAMES = ["lw-inference-proxy-linux-x64", "lw-inference-proxy-linux-arm64-musl"];
const FILES = [...NAMES, "SHA256SUMS"].map((file) => `dist/${file}`).join(" ");

function sha256(bytes: string | Buffer): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}

/** @returns the SHA-256 of SHA256SUMS, as the build job passes it on */
function build({ dist }: ReleaseClone): string {
  for (const name of NAMES) writeFileSync(join(dist, name), `the bytes of ${name}`);
  const sums = NAMES.map((name) => `${sha256(`the bytes of ${name}`)}  ${name}\n`).join("");
  writeFileSync(join(dist, "SHA256SUMS"), sums);
  return sha256(sums);
}

type Case = Disposable & {
  readonly clone: ReleaseClone;
  readonly sums: string;
  readonly programs: StandIns;
};

async function prepared(tags: readonly string[]): Promise<Case> {
  const directory = temporaryDirectory();
  const clone = await releaseClone(tags);
  const programs = standIns(directory.path, { gh: "", npm: "", bun: "", node: "" });
  return {
    clone,
    sums: build(clone),
    programs,
    [Symbol.dispose]: () => {
      clone[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

function publish({ clone, sums, programs }: Case, version: string, env = {}) {
  return clone.run("publish-binaries.sh", {
    ...programs.env,
    VERSION: version,
    SUMS: sums,
    GH_TOKEN: "secret",
    ...env,
  });
}

describe("publish-binaries.sh", () => {
  test.each([
    ["v1.3.0", "--latest=true"],
    ["v1.2.4", "--latest=false"], // a patch of an old line
    ["v2.0.0-rc.1", "--prerelease --latest=false"],
  ])("publishes %s with its checksums and the flags %s", async (version, flags) => {
    using release = await prepared(["v1.2.3", "v1.2.4", "v1.3.0", "v2.0.0-rc.1"]);
    const { code, output } = await publish(release, version);
    expect([code, output]).toEqual([0, ""]);
    expect(release.programs.calls()).toEqual([
      `gh release create ${version} --verify-tag --generate-notes ${flags} ${FILES}`,
    ]);
  });

  test("fails when gh fails", async () => {
    using release = await prepared(["v1.2.3"]);
    using directory = temporaryDirectory();
    const { env } = standIns(directory.path, { gh: "echo no; exit 4" });
    const { code, output } = await publish(release, "v1.2.3", env);
    expect([code, output]).toEqual([4, "no\n"]);
  });

  const TAMPERED: readonly [string, (dist: string) => void, string][] = [
    ["another binary", (dist) => appendFileSync(join(dist, NAMES[0] ?? ""), "x"), "FAILED"],
    ["a changed binary with a matching checksum", tamperWithBoth, "not the one that was built"],
    [
      "no sums",
      (dist) => writeFileSync(join(dist, "SHA256SUMS"), ""),
      "not the one that was built",
    ],
  ];

  test.each(TAMPERED)("%s: publishes nothing", async (_, tamper, said) => {
    using release = await prepared(["v1.2.3"]);
    tamper(release.clone.dist);
    const { code, output } = await publish(release, "v1.2.3");
    expect([code, output]).toEqual([1, expect.stringContaining(said)]);
    expect(release.programs.calls()).toEqual([]);
  });

  test.each([
    `${"0".repeat(64)}  ../secret\n`,
    `${"0".repeat(64)}  lw-inference-proxy-linux-x64 --notes=evil\n`,
    "lw-inference-proxy-linux-x64\n",
  ])("publishes nothing if SHA256SUMS has the line %j", async (line) => {
    using release = await prepared(["v1.2.3"]);
    const sums = join(release.clone.dist, "SHA256SUMS");
    appendFileSync(sums, line);
    const { code, output } = await publish(release, "v1.2.3", { SUMS: sha256(readFileSync(sums)) });
    expect([code, output]).toEqual([1, expect.stringContaining("no binary of a release")]);
    expect(release.programs.calls()).toEqual([]);
  });

  test.each(["SUMS", "GH_TOKEN"])("reports that %s is not set", async (name) => {
    using release = await prepared(["v1.2.3"]);
    const { code, output } = await publish(release, "v1.2.3", { [name]: "" });
    expect([code, output]).toEqual([1, `${name} is not set\n`]);
  });

  test("publishes nothing for an invalid version or in a shallow clone", async () => {
    using release = await prepared(["v1.2.3"]);
    expect((await publish(release, "main")).code).toBe(1);
    await makeShallow(release.clone);
    expect((await publish(release, "v1.2.3")).code).toBe(1);
    expect(release.programs.calls()).toEqual([]);
  });
});

function tamperWithBoth(dist: string): void {
  const [name = ""] = NAMES;
  writeFileSync(join(dist, name), "evil");
  writeFileSync(join(dist, "SHA256SUMS"), `${sha256("evil")}  ${name}\n`);
}
