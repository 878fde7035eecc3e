/**
 * `bun tests/bench/scanner.ts`: how fast the model scanner reads request bodies of several MB, compared with
 * decoding and JSON.parse of the same body. `model` comes last, or first if the scanner reads on for the
 * prompt. CPU time, the best of many rounds over all of them, because machines are noisy.
 */
import { type Random, seededRandom } from "../support/client/random-json.ts";
import { scanModel, scanOn } from "../support/proxy/scan-model.ts";

type Workload = {
  readonly name: string;
  /** The limit of issue 5, GB/s. */
  readonly atLeast?: number;
  readonly body: (random: Random) => unknown;
  /** The size of a piece in bytes. Without it, pieces are as they come from the network. */
  readonly pieceBytes?: number;
  /** Whether the scanner reads on after the model, to the end of the prompt. */
  readonly readsOn?: boolean;
};

const MB = 1_000_000;
const BODY_BYTES = 8 * MB;
const CPU_MS = 15_000;

const WORKLOADS: readonly Workload[] = [
  { name: "base64 image", atLeast: 10, body: (random) => chat([base64(random, BODY_BYTES)]) },
  { name: "prose", atLeast: 1.5, body: (random) => chat(texts(random, prose, 4_000)) },
  { name: "source code", atLeast: 1, body: (random) => chat(texts(random, sourceCode, 20_000)) },
  { name: '\\"\\"\\"…', atLeast: 1, body: () => chat(['"'.repeat(BODY_BYTES / 2)]) },
  { name: "\\\\\\\\\\\\…", body: () => chat(["\\".repeat(BODY_BYTES / 2)]) },
  { name: "short messages", body: (random) => chat(texts(random, prose, 40)) },
  {
    name: "many keys",
    body: () => ({ ...manyKeys(), model: "m" }),
  },
  { name: "token numbers", body: (random) => ({ prompt: numbers(random), model: "m" }) },
  {
    name: "prose byte by byte",
    body: (random) => chat([prose(random, MB)]),
    pieceBytes: 1,
  },
  {
    name: "code after model",
    body: (random) => ({ model: "m", ...chat(texts(random, sourceCode, 20_000)) }),
    readsOn: true,
  },
  {
    name: "keys after model",
    body: () => ({ model: "m", ...manyKeys(), input: "" }),
    readsOn: true,
  },
];

/** A workload with its results: GB for each second of CPU time, the best round of each. */
type Entry = {
  readonly workload: Workload;
  readonly scan: Finder;
  readonly parse: Finder;
  readonly best: { scan: number; parse: number };
};

type Finder = { readonly find: () => unknown; readonly bytes: number; readonly times: number };

function main(): void {
  const entries = WORKLOADS.map(prepare);
  const end = cpuMs() + CPU_MS;
  while (cpuMs() < end) {
    for (const { scan, parse, best } of entries) {
      best.scan = Math.max(best.scan, speed(scan));
      best.parse = Math.max(best.parse, speed(parse));
    }
  }
  console.log("GB/s                  scanner  JSON.parse  ratio  at least");
  for (const { workload, best } of entries) {
    const figures = [best.scan.toFixed(2).padStart(8), best.parse.toFixed(2).padStart(11)];
    const ratio = `${(best.scan / best.parse).toFixed(1)}x`.padStart(6);
    const wanted = workload.atLeast?.toFixed(1).padStart(9) ?? "";
    console.log(workload.name.padEnd(20), ...figures, ratio, wanted);
  }
}

function prepare(workload: Workload): Entry {
  const body = new TextEncoder().encode(JSON.stringify(workload.body(seededRandom(5))));
  const cut = pieces(body, workload.pieceBytes);
  const scan = (): unknown => {
    if (workload.readsOn === true) return scanOn(cut, "prompt").promptEnd && "m";
    const verdict = scanModel(cut);
    return verdict.kind === "found" ? verdict.model : verdict;
  };
  const parse = (): unknown => JSON.parse(new TextDecoder().decode(body)).model;
  return {
    workload,
    // Short cases run more often in one round, because of the clock's resolution.
    scan: { find: scan, bytes: body.length, times: workload.pieceBytes === undefined ? 4 : 1 },
    parse: { find: parse, bytes: body.length, times: 1 },
    best: { scan: 0, parse: 0 },
  };
}

function speed({ find, bytes, times }: Finder): number {
  const start = cpuMs();
  for (let time = 0; time < times; time += 1) {
    if (find() !== "m") throw new Error("The benchmark found another model than it wrote");
  }
  return (bytes * times) / ((cpuMs() - start) * 1e6);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Pieces of 64 to 128 KB, each in its own memory, like the pieces of Bun's request body. */
function pieces(body: Uint8Array, pieceBytes: number | undefined): Uint8Array[] {
  const random = seededRandom(64);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += cut.at(-1)!.length) {
    cut.push(body.slice(at, at + (pieceBytes ?? 65_536 + random(65_536))));
  }
  return cut;
}

function manyKeys(): Record<string, true> {
  return Object.fromEntries(Array.from({ length: 500_000 }, (_, key) => [`key ${key}`, true]));
}

function chat(contents: readonly string[]): Record<string, unknown> {
  const messages = contents.map((content, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: [{ type: "text", text: content }],
  }));
  return { messages, temperature: 0.7, stream: true, model: "m" };
}

/** Texts of about BODY_BYTES in total, each about `length` long. */
function texts(
  random: Random,
  write: (random: Random, length: number) => string,
  length: number,
): string[] {
  return Array.from({ length: BODY_BYTES / length }, () =>
    write(random, length / 2 + random(length)),
  );
}

function base64(random: Random, length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const block = Array.from({ length: 4_096 }, () => alphabet[random(64)]).join("");
  return `data:image/png;base64,${block.repeat(length / 4_096)}`;
}

const WORDS =
  "the of and a to in is you that it he was for on are as with his they I at be this have from or had by not but what some we can out other were all there when up use your how said an each she which do their time if will way about many then them write would like so these her long make thing see him two has look more day could go come did number sound no most people my over know water than call first who may down side been now find".split(
    " ",
  );

/** Sentences with a line break every few hundred bytes, some quoted words, and some foreign words. */
function prose(random: Random, length: number): string {
  const parts: string[] = [];
  let written = 0;
  while (written < length) {
    const word = random(40) === 0 ? "déjà" : WORDS[random(WORDS.length)]!;
    const quoted = random(100) === 0 ? `"${word}"` : word;
    const space = [". ", ", ", "\n", "\n\n"][random(80)] ?? " ";
    parts.push(quoted, space);
    written += quoted.length + space.length;
  }
  return parts.join("").slice(0, length);
}

const LINES = [
  'import { readFile } from "node:fs/promises";',
  "",
  "export async function load(path: string): Promise<Config> {",
  '\tconst text = await readFile(path, "utf8");',
  "\tconst lines = text.split(/\\r?\\n/);",
  "\tfor (const [number, line] of lines.entries()) {",
  '\t\tif (line.startsWith("#") || line === "") continue;',
  "\t\tconst at = line.indexOf(':');",
  '\t\tif (at === -1) throw new Error("No \\":\\" in line " + number);',
  "\t\tconfig.set(line.slice(0, at).trim(), line.slice(at + 1).trim());",
  "\t}",
  'const HEADERS = { "content-type": "application/json", "x-api-key": "", accept: "*/*" };',
  '\texpect(parse("a: \\"b\\"\\n")).toEqual({ a: "b", list: ["x", "y", "z"], n: 1 });',
  '\treturn { ...DEFAULTS, name: config.get("name") ?? "", port: Number(config.get("port")) };',
  "}",
];

function sourceCode(random: Random, length: number): string {
  const lines: string[] = [];
  let written = 0;
  while (written < length) {
    const line = LINES[random(LINES.length)]!;
    lines.push(line);
    written += line.length + 1;
  }
  return lines.join("\n");
}

function numbers(random: Random): number[] {
  return Array.from({ length: BODY_BYTES / 6 }, () => random(128_000));
}

main();
