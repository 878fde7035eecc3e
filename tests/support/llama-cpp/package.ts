/**
 * The real llama.cpp: Debian's package of its unstable suite, with the libraries that it needs, unpacked
 * into a folder of the user's cache. Nothing is installed, and apt's own settings and lists are left alone.
 */
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder } from "../cache-folder.ts";

export type LlamaCpp = {
  readonly version: string;
  /** Holds `usr`, as in the file system of a machine that has the packages installed. */
  readonly root: string;
};

const SUITE = "unstable";
/** busybox: a container that has nothing but llama.cpp needs a program for its health check. */
const PACKAGES = ["llama.cpp-tools", "busybox-static"];
/** The dependencies that are followed: libraries, and no programs. */
const LIBRARY = /^(lib|zlib)/;
/** An unpacked version is taken for the newest one for so long. */
const FRESH_MS = 24 * 60 * 60 * 1_000;
const COMMAND_BOUND_MS = 120_000;
/** Of a command that failed: the rest is settings. */
const SHOWN_WORDS = 4;
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export const CACHE = cacheFolder("llama.cpp");

let provided: Promise<LlamaCpp> | undefined;

/**
 * Downloads and unpacks the newest version, unless it is in the cache.
 *
 * @throws if it can't be had, or does not run on this machine
 */
export function provideLlamaCpp(): Promise<LlamaCpp> {
  provided ??= (async () => {
    const llamaCpp = cached() ?? (await download());
    await checkThatItRuns(llamaCpp);
    return llamaCpp;
  })();
  return provided;
}

/** @returns undefined if it is there and runs, else why not */
export async function whyNoLlamaCpp(): Promise<string | undefined> {
  try {
    await provideLlamaCpp();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The version that was unpacked last, unless that is long ago. */
function cached(): LlamaCpp | undefined {
  const versions = join(CACHE, "versions");
  mkdirSync(versions, { recursive: true });
  const [version] = readdirSync(versions);
  if (version === undefined) return undefined;
  const root = join(versions, version);
  return Date.now() - statSync(root).mtimeMs < FRESH_MS ? { version, root } : undefined;
}

async function download(): Promise<LlamaCpp> {
  const work = join(CACHE, `download-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const apt = await privateApt(join(CACHE, "apt"));
    await apt("apt-get", ["update", "-qq"]);
    await downloadWithLibraries(apt, work);
    const root = join(work, "root");
    mkdirSync(root);
    for (const file of packageFiles(work))
      await run(["dpkg-deb", "--extract", join(work, file), root]);
    return keep(root, withoutEpoch(await field(work, "llama.cpp-tools", "Version")));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** `1:0.7.0+dfsg-2` → `0.7.0+dfsg-2`: a colon would end the folder's path in a list of paths. */
function withoutEpoch(version: string): string {
  return version.replace(/^\d+:/, "");
}

/** Moves what was unpacked to its place: whoever looks there finds a whole one. */
function keep(unpacked: string, version: string): LlamaCpp {
  for (const unused of ["usr/share", "usr/libexec"]) {
    rmSync(join(unpacked, unused), { recursive: true, force: true });
  }
  const root = join(CACHE, "versions", version);
  rmSync(dirname(root), { recursive: true, force: true }); // with older versions
  mkdirSync(dirname(root));
  utimesSync(unpacked, new Date(), new Date()); // dpkg-deb gives it the age that it has in the packages
  renameSync(unpacked, root);
  return { version, root };
}

type Apt = (program: string, args: readonly string[], folder?: string) => Promise<string>;

/** apt with sources, lists and state of its own. Whatever else this machine has set (a proxy, say) applies. */
async function privateApt(folder: string): Promise<Apt> {
  for (const name of ["lists/partial", "cache/archives/partial", "state", "parts"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, "status"), "");
  const sources = `deb [signed-by=${KEYRING}] ${await mirror()} ${SUITE} main\n`;
  writeFileSync(join(folder, "sources.list"), sources);
  const settings = {
    "Dir::Etc::sourcelist": join(folder, "sources.list"),
    "Dir::Etc::sourceparts": join(folder, "parts"),
    "Dir::State": join(folder, "state"),
    "Dir::State::lists": join(folder, "lists"),
    "Dir::State::status": join(folder, "status"),
    "Dir::Cache": join(folder, "cache"),
    "APT::Sandbox::User": "", // the user that apt downloads as may not write here
    "APT::Update::Error-Mode": "any", // otherwise a mirror that does not answer is a warning
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "10",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return (program, args, cwd) => run([program, ...args, ...flags], cwd);
}

/** Where this machine gets its own packages from. */
async function mirror(): Promise<string> {
  const format = "$(COMPONENT) $(REPO_URI)";
  const targets = await run([
    "apt-get",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const uris = targets.split("\n").map((line) => /^main (\S+)/.exec(line)?.[1] ?? "");
  const found = uris.find((uri) => uri.includes("debian") && !uri.includes("security"));
  if (found === undefined) throw new Error("apt has no source of Debian's packages here");
  return found;
}

/** The packages, then the libraries that these need, then those that those need … */
async function downloadWithLibraries(apt: Apt, work: string): Promise<void> {
  const seen = new Set<string>();
  let wanted: readonly string[] = PACKAGES;
  while (wanted.length > 0) {
    await apt("apt-get", ["download", "-qq", ...wanted], work);
    const depends = await Promise.all(
      wanted.map(async (name) => {
        seen.add(name);
        return (await field(work, name, "Depends")).split(",").map(firstAlternative);
      }),
    );
    wanted = [...new Set(depends.flat())].filter((name) => LIBRARY.test(name) && !seen.has(name));
  }
}

/** `libssl3t64 (>= 3.3.0) | other` → `libssl3t64` */
function firstAlternative(dependency: string): string {
  return /^\s*([^\s:(|]+)/.exec(dependency)?.[1] ?? "";
}

function packageFiles(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".deb"));
}

/** A field of a downloaded package. */
async function field(folder: string, name: string, key: string): Promise<string> {
  const file = packageFiles(folder).find((one) => one.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`apt-get did not download ${name}`);
  return (await run(["dpkg-deb", "--field", join(folder, file), key])).trim();
}

/** Runs it by its own loader: this machine's C library is older, or another one. */
async function checkThatItRuns({ root }: LlamaCpp): Promise<void> {
  const [libraries = ""] = new Bun.Glob("usr/lib/*-linux-gnu").scanSync({
    cwd: root,
    onlyFiles: false,
  });
  const folder = join(root, libraries);
  const [loader = ""] = new Bun.Glob("ld-linux*.so.*").scanSync(folder);
  const path = ["", "llama"].map((name) => join(folder, name)).join(":");
  await run([
    join(folder, loader),
    "--library-path",
    path,
    join(root, "usr/bin/llama-server"),
    "--version",
  ]);
}

async function run(command: readonly string[], cwd = CACHE): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: COMMAND_BOUND_MS,
  });
  const [output, errors, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  if (code === 0) return output;
  const shown = command.slice(0, SHOWN_WORDS).join(" ");
  throw new Error(`Cannot run "${shown} …": exit code ${code}, ${errors.trim()}`);
}
