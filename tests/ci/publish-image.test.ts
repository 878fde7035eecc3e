/** The script pushes exactly the archive that was built. docker, skopeo and cosign are stand-ins. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeShallow, type ReleaseClone, releaseClone } from "../support/release/clone.ts";
import { type StandIns, standIns } from "../support/release/stand-ins.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const TAGS = ["v1.2.3", "v1.2.4", "v1.3.0", "v2.0.0-rc.1"];
const INDEX = '{"schemaVersion":2,"manifests":["of both architectures"]}';
const HEX = new Bun.CryptoHasher("sha256").update(INDEX).digest("hex");
const DIGEST = `sha256:${HEX}`;
const NAME = "ghcr.io/owner/name";

/** An OCI archive as buildx writes it: index.json names the digest of the image's index, which is a blob. */
async function archive(
  { dist, path }: ReleaseClone,
  named: readonly string[] = [DIGEST],
  bytes: string = INDEX,
): Promise<void> {
  const layout = join(path, "layout");
  const manifests = named.map((digest) => ({ digest, size: bytes.length, annotations: {} }));
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(layout, "blobs/sha256", HEX), bytes);
  const tar = ["tar", "--create", "--file", join(dist, "image.tar"), "-C", layout];
  await Bun.spawn([...tar, "blobs", "index.json"]).exited;
  rmSync(layout, { recursive: true });
}

type Case = Disposable & { readonly clone: ReleaseClone; readonly programs: StandIns };

/** @param pushed what the registry returns for a tag */
async function prepared(pushed = INDEX): Promise<Case> {
  const directory = temporaryDirectory();
  const clone = await releaseClone(TAGS);
  await archive(clone);
  const programs = standIns(directory.path, {
    docker: `echo "read: $(cat)" >> '${join(directory.path, "calls.log")}'`,
    skopeo: `[ "$1" != inspect ] || printf %s '${pushed}'`,
    cosign: "",
    ...{ npm: "", bun: "", node: "", gh: "" },
  });
  return {
    clone,
    programs,
    [Symbol.dispose]: () => {
      clone[Symbol.dispose]();
      directory[Symbol.dispose]();
    },
  };
}

function publish({ clone, programs }: Case, version: string, env = {}) {
  return clone.run("publish-image.sh", {
    ...programs.env,
    VERSION: version,
    DIGEST,
    REPOSITORY: "Owner/Name",
    REGISTRY_USER: "me",
    REGISTRY_TOKEN: "secret",
    ...env,
  });
}

function pushOf(tag: string): readonly string[] {
  const from = "oci-archive:dist/image.tar";
  return [
    `skopeo copy --all --preserve-digests --retry-times 3 ${from} docker://${NAME}:${tag}`,
    `skopeo inspect --raw docker://${NAME}:${tag}`,
  ];
}

describe("publish-image.sh", () => {
  test.each<[version: string, own: string, moved: readonly string[]]>([
    ["v1.3.0", "1.3.0", ["1.3", "latest"]],
    ["v1.2.4", "1.2.4", ["1.2"]], // a patch of an old line
    ["v1.2.3", "1.2.3", []],
    ["v2.0.0-rc.1", "2.0.0-rc.1", []],
  ])("pushes and signs %s as %s, and only then moves the tags %j", async (version, own, moved) => {
    using release = await prepared();
    const { code, output } = await publish(release, version);
    expect([code, output]).toEqual([0, ""]);
    expect(release.programs.calls()).toEqual([
      "docker login ghcr.io --username me --password-stdin",
      "read: secret", // the secret must not be on a command line
      ...pushOf(own),
      `cosign sign --yes ${NAME}@${DIGEST}`,
      ...moved.flatMap(pushOf),
    ]);
  });

  test("does not sign and moves no tag when the registry returns other bytes than were pushed", async () => {
    using release = await prepared("another");
    const { code, output } = await publish(release, "v1.3.0");
    expect([code, output]).toEqual([1, expect.stringContaining(`not ${DIGEST}`)]);
    expect(release.programs.calls().slice(2)).toEqual([...pushOf("1.3.0")]);
  });

  const OTHER = `sha256:${"0".repeat(64)}`;
  test.each<[what: string, named: readonly string[], bytes: string, said: string]>([
    ["another image", [OTHER], INDEX, `holds "${OTHER}"`],
    ["a second image", [DIGEST, OTHER], INDEX, "not sha256:"],
    ["no image", [], INDEX, 'holds ""'],
    ["other bytes", [DIGEST], "evil", "holds other bytes"],
  ])("pushes nothing from an archive with %s", async (_, named, bytes, said) => {
    using release = await prepared();
    await archive(release.clone, named, bytes);
    const { code, output } = await publish(release, "v1.3.0");
    expect([code, output]).toEqual([1, expect.stringContaining(said)]);
    expect(release.programs.calls()).toEqual([]);
  });

  test.each(["DIGEST", "REPOSITORY", "REGISTRY_USER", "REGISTRY_TOKEN"])(
    "reports that %s is not set",
    async (name) => {
      using release = await prepared();
      const { code, output } = await publish(release, "v1.3.0", { [name]: "" });
      expect([code, output]).toEqual([1, `${name} is not set\n`]);
      expect(release.programs.calls()).toEqual([]);
    },
  );

  test.each(["sha256:abc", `${DIGEST}x`, `${DIGEST}\n${DIGEST}`, "$(id)"])(
    "pushes nothing for the digest %j",
    async (digest) => {
      using release = await prepared();
      const { code, output } = await publish(release, "v1.3.0", { DIGEST: digest });
      expect([code, output]).toEqual([1, expect.stringContaining("expected one like")]);
      expect(release.programs.calls()).toEqual([]);
    },
  );

  test("pushes nothing for an invalid version or in a shallow clone", async () => {
    using release = await prepared();
    expect((await publish(release, "main")).code).toBe(1);
    await makeShallow(release.clone);
    expect((await publish(release, "v1.3.0")).code).toBe(1);
    expect(release.programs.calls()).toEqual([]);
  });
});
