/**
 * Adds missing programs to the cache folder of programs.ts: two npm packages, and Debian's Chromium with the
 * libraries that this machine lacks. It changes nothing else on the machine: it needs no root, and installs
 * no Debian package. A folder gets its name when it is complete, so an interrupted download is never used.
 * With `--chromium` it adds only Chromium.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  CHROMIUM_FOLDER,
  CLAUDE_CODE,
  CODEX,
  findChromium,
  type NpmProgram,
  npmFolder,
  npmProgram,
} from "./programs.ts";

const isChromiumAlone = process.argv.includes("--chromium");
for (const program of isChromiumAlone ? [] : [CODEX, CLAUDE_CODE]) {
  if (Bun.which(npmProgram(program)) === null) await installFromNpm(program);
}
if (findChromium() === undefined) await unpackChromium();

async function installFromNpm(program: NpmProgram): Promise<void> {
  const name = `${program.package}@${program.version}`;
  say(`Installing ${name} into ${npmFolder(program)} …`);
  await makeFolder(npmFolder(program), async (folder) => {
    await Bun.write(join(folder, "package.json"), '{ "private": true }\n');
    await run(folder, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", name);
  });
}

async function unpackChromium(): Promise<void> {
  say(`Unpacking Debian's chromium into ${CHROMIUM_FOLDER} …`);
  await makeFolder(CHROMIUM_FOLDER, async (folder) => {
    const downloads = join(folder, "packages");
    mkdirSync(downloads);
    // Old package lists name removed files. Only root may update the lists.
    if (process.getuid?.() === 0) await run(".", "apt-get", "-qq", "update");
    const apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download"];
    await run(downloads, ...apt, ...(await missingPackages()));
    for (const file of readdirSync(downloads)) await run(downloads, "dpkg", "-x", file, folder);
    rmSync(downloads, { recursive: true });
  });
  if (findChromium() === undefined)
    throw new Error("Cannot find the program in Debian's chromium package: its layout has changed");
}

/** The packages that `apt-get install` would add. A line with an old version in brackets is only an upgrade. */
async function missingPackages(): Promise<readonly string[]> {
  const plan = await run(".", "apt-get", "install", "-s", "--no-install-recommends", "chromium");
  const added = [...plan.matchAll(/^Inst (\S+) \((\S+)/gm)];
  return added.map(([, name, version]) => `${name}=${version}`);
}

/** Fills a temporary folder, then renames it to its final name. */
async function makeFolder(folder: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const partial = `${folder}.partial`;
  for (const old of [partial, folder]) rmSync(old, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  await fill(partial);
  mkdirSync(dirname(folder), { recursive: true });
  renameSync(partial, folder);
}

/** @returns standard output */
async function run(cwd: string, ...command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const [output, code] = await Promise.all([child.stdout.text(), child.exited]);
  if (code !== 0) throw new Error(`Cannot run "${command.join(" ")}": exit code ${code}`);
  return output;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
