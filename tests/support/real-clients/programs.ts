/**
 * The programs that people use with the proxy, as their makers publish them: their versions, and the folders
 * with them. They are too large for devDependencies (1.2 GB), so they are in a cache folder outside of the
 * repository. install.ts fills it.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../cache-folder.ts";

export type NpmProgram = {
  readonly package: string;
  readonly version: string;
  /** Its name in node_modules/.bin. */
  readonly program: string;
};

export const CODEX: NpmProgram = {
  package: "@openai/codex",
  version: "0.171.0",
  program: "codex",
};

export const CLAUDE_CODE: NpmProgram = {
  package: "@anthropic-ai/claude-code",
  version: "2.1.332",
  program: "claude",
};

const CACHE = cacheFolder("test-clients");

export function npmFolder({ program, version }: NpmProgram): string {
  return join(CACHE, `${program}-${version}`);
}

export function npmProgram(program: NpmProgram): string {
  return join(npmFolder(program), "node_modules/.bin", program.program);
}

/** Debian's packages of Chromium, unpacked but not installed. */
export const CHROMIUM_FOLDER = join(CACHE, "chromium");

export type Browser = {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
};

/** The machine's own Chromium, or the one in the cache. */
export function findChromium(): Browser | undefined {
  const own = Bun.which("chromium");
  if (own !== null) return { path: own, env: {} };
  const unpacked = join(CHROMIUM_FOLDER, "usr/lib/chromium/chromium");
  return Bun.which(unpacked) === null
    ? undefined
    : { path: unpacked, env: { LD_LIBRARY_PATH: librariesIn(CHROMIUM_FOLDER).join(":") } };
}

/** Debian keeps libraries in `usr/lib/<machine>`, and some of PulseAudio's in a folder below it. */
function librariesIn(root: string): readonly string[] {
  const lib = join(root, "usr/lib");
  const machine = readdirSync(lib).find((name) => name.includes("-linux-gnu"));
  if (machine === undefined) return [];
  return [join(lib, machine), join(lib, machine, "pulseaudio")];
}
