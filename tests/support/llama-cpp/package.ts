/**
 * The real llama.cpp: Debian's package from its unstable suite, unpacked with the libraries that it needs
 * into a folder of the user's cache. It installs nothing, and does not touch apt's own settings and lists.
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
  /** Holds `usr`, as on a machine with the packages installed. */
  readonly root: string;
};

const SUITE = "unstable";
/** busybox: in a container with only llama.cpp, the health check needs a program. */
const PACKAGES = ["llama.cpp-tools", "busybox-static"];
/** It follows dependencies on libraries, not on programs. */
const LIBRARY = /^(lib|zlib)/;
/** For this time it does not look for a newer version. */
const FRESH_MS = 24 * 60 * 60 * 1_000;
const COMMAND_BOUND_MS = 120_000;
/** How many words of a failed command an error shows. The others are settings. */
const SHOWN_WORDS = 4;
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export const CACHE = cacheFolder("llama.cpp");

let provided: Promise<LlamaCpp> | undefined;

/**
 * Downloads and unpacks the newest version, unless it is in the cache.
 *
 * @throws if it cannot be downloaded, or does not run on this machine
 */
export function provideLlamaCpp(): Promise<LlamaCpp> {
  provided ??= (async () => {
    const llamaCpp = cached() ?? (await download());
    await checkThatItRuns(llamaCpp);
    return llamaCpp;
  })();
  return provided;
}

/** @returns undefined if it is there and runs, otherwise the reason */
export async function whyNoLlamaCpp(): Promise<string | undefined> {
  try {
    await provideLlamaCpp();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The version that was unpacked last, unless it is too old. */
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

/** `1:0.7.0+dfsg-2` → `0.7.0+dfsg-2`: a colon in the folder's name would split a list of paths. */
function withoutEpoch(version: string): string {
  return version.replace(/^\d+:/, "");
}

/** Renames the unpacked folder to its final name, so that this name always means a complete folder. */
function keep(unpacked: string, version: string): LlamaCpp {
  for (const unused of ["usr/share", "usr/libexec"]) {
    rmSync(join(unpacked, unused), { recursive: true, force: true });
  }
  const root = join(CACHE, "versions", version);
  rmSync(dirname(root), { recursive: true, force: true }); // removes older versions too
  mkdirSync(dirname(root));
  utimesSync(unpacked, new Date(), new Date()); // dpkg-deb sets the folder's time from the package
  renameSync(unpacked, root);
  return { version, root };
}

type Apt = (program: string, args: readonly string[], folder?: string) => Promise<string>;

/**
 * apt with its own sources, lists and state. Other settings of this machine (for example a proxy) still
 * apply.
 */
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
    "APT::Sandbox::User": "", // apt's download user may not write here
    "APT::Update::Error-Mode": "any", // otherwise an unreachable mirror is only a warning
    "Acquire::Retries": "2",
    "Acquire::http::Timeout": "10",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return (program, args, cwd) => run([program, ...args, ...flags], cwd);
}

/** The mirror from which this machine gets its own packages. */
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
  if (found === undefined)
    throw new Error("Cannot find a Debian mirror in apt's sources on this machine");
  return found;
}

/** Downloads the packages, then their libraries, then the libraries of these, and so on. */
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

/** Runs it with its own loader: this machine may have an older or a different C library. */
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
