/**
 * Fills the cache folder of programs.ts with what is not there yet: two npm packages, and Debian's Chromium with the libraries
 * that this machine lacks. Changes nothing else on the machine: needs no root, and installs no package of Debian's.
 * A folder gets its name when it is complete, so one that was broken off is never used. With `--chromium` it brings that alone.
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
    // Old lists name files that are gone. Only root may renew them.
    if (process.getuid?.() === 0) await run(".", "apt-get", "-qq", "update");
    const apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download"];
    await run(downloads, ...apt, ...(await missingPackages()));
    for (const file of readdirSync(downloads)) await run(downloads, "dpkg", "-x", file, folder);
    rmSync(downloads, { recursive: true });
  });
  if (findChromium() === undefined) throw new Error("Debian's chromium has no program any more");
}

/** What `apt-get install` would add. Lines of packages that it would only upgrade have the old version in brackets. */
async function missingPackages(): Promise<readonly string[]> {
  const plan = await run(".", "apt-get", "install", "-s", "--no-install-recommends", "chromium");
  const added = [...plan.matchAll(/^Inst (\S+) \((\S+)/gm)];
  return added.map(([, name, version]) => `${name}=${version}`);
}

/** Fills a folder beside the one that is wanted, then moves it there. */
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
