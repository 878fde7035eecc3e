/** Makes multipart bodies, also random ones, and runs the scanner on them. */

import { MultipartScanner } from "../../../src/proxy/body/multipart-field.ts";
import type { Verdict } from "../../../src/proxy/body/verdict.ts";
import type { Random } from "./random-json.ts";

export function scanMultipart(boundary: string, pieces: Iterable<Uint8Array>): Verdict {
  const scanner = new MultipartScanner(boundary);
  for (const piece of pieces) {
    const verdict = scanner.push(piece);
    if (verdict !== undefined) return verdict;
  }
  return scanner.end();
}

export type RandomBody = {
  readonly boundary: string;
  readonly bytes: Buffer;
  /** The verdict on the whole body. */
  readonly verdict: Verdict;
};

type Part = { readonly headers: string; readonly content: Buffer; readonly isModel: boolean };

/** A well-formed body. No part, one part or several parts name the model. */
export function randomBody(random: Random): RandomBody {
  const boundary = pick(random, [
    "a",
    "abc",
    "----x",
    "--",
    "aaaa",
    `-'()+_,./:=? ${"B".repeat(56)}`,
  ]);
  const parts = Array.from({ length: random(6) }, () => randomPart(random, boundary));
  const preamble = random(4) === 0 ? [randomPreamble(random, boundary)] : [];
  const epilogue = random(4) === 0 ? [Buffer.from("\r\n"), decoys(random, boundary)] : [];
  const padding = () => pick(random, ["", "", "", " ", "\t \t"]);
  const rendered = parts.flatMap(({ headers, content }, index) => [
    Buffer.from(`${index === 0 ? "" : "\r\n"}--${boundary}${padding()}\r\n${headers}\r\n`),
    content,
  ]);
  const closing = `${parts.length === 0 ? "" : "\r\n"}--${boundary}--${padding()}`;
  const bytes = Buffer.concat([...preamble, ...rendered, Buffer.from(closing), ...epilogue]);
  const model = parts.find(({ isModel }) => isModel);
  return { boundary, bytes, verdict: verdictOn(model?.content) };
}

function verdictOn(content: Buffer | undefined): Verdict {
  if (content === undefined) return { kind: "missing", reason: "no model" };
  if (content.length === 0) return { kind: "missing", reason: "empty" };
  return { kind: "found", model: new TextDecoder("utf-8", { ignoreBOM: true }).decode(content) };
}

function randomPart(random: Random, boundary: string): Part {
  const [name, isNamed] = pick<readonly [string, boolean]>(random, [
    ["name=model", true],
    ['name="model"', true],
    ['NAME="mo\\del"', true],
    ['name="models"', false],
    ['name="Model"', false],
    ['name=" model"', false],
    ['name="name=\\"model\\""', false],
    ["name=file", false],
    ["name=language", false],
  ]);
  const isFile = random(3) === 0;
  const file = pick(random, ["filename=x", 'filename=""', 'FileName="; name=model; \\""']);
  const parameters = isFile ? shuffled(random, [name, file]) : [name];
  const separator = pick(random, [";", "; ", " ;\t", ";\r\n "]);
  const header = pick(random, [
    "Content-Disposition: ",
    "content-disposition:",
    "CONTENT-DISPOSITION:\r\n\t",
  ]);
  const disposition = `${header}form-data${separator}${parameters.join(separator)}\r\n`;
  const others = [
    "Content-Type: text/plain; name=model\r\n",
    'X-A: Content-Disposition: ; name="model"\r\n',
  ];
  const headers = shuffled(random, [disposition, ...others.slice(random(3))]).join("");
  return { headers, content: decoys(random, boundary), isModel: isNamed && !isFile };
}

/** The bytes before the first boundary. There the scanner refuses a boundary line that ends with LF alone. */
function randomPreamble(random: Random, boundary: string): Buffer {
  const bytes = Buffer.concat([decoys(random, boundary), Buffer.from("\r\n")]);
  const refused = new RegExp(`\r\n--${RegExp.escape(boundary)}[ \t-]*\n`);
  const isRefused = refused.test(`\r\n${bytes.toString("latin1")}`);
  return isRefused ? randomPreamble(random, boundary) : bytes;
}

/** Bytes that look almost like a boundary, but are not one. */
function decoys(random: Random, boundary: string): Buffer {
  const delimiter = `\r\n--${boundary}`;
  const pieces = Array.from({ length: random(8) }, (): Buffer | string => {
    switch (random(6)) {
      case 0:
        return delimiter.slice(0, random(delimiter.length));
      case 1:
        return `${delimiter}${pick(random, ["X", "-x", " x", "\rx", "\r\r", "--x", "-- \rx", "\n", "\u0000"])}`;
      case 2:
        return pick(random, ["\r", "\n", "\r\n", "\r\n\r\n", "-", "--", "\r\r\n", "\n--a\n"]);
      case 3:
        return '\r\nContent-Disposition: form-data; name="model"\r\n\r\ndecoy\r\n';
      case 4:
        return pick(random, ["m", "org/m", " é😀 ", "\uFEFF", boundary, `--${boundary}`.slice(1)]);
      default:
        return Buffer.from(Array.from({ length: random(40) }, () => random(256)));
    }
  });
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
  return isDecoy(bytes, boundary) ? bytes : decoys(random, boundary);
}

/** The reference: no line of these bytes is a boundary, whatever comes before and after. */
function isDecoy(bytes: Buffer, boundary: string): boolean {
  const line = `\r\n--${RegExp.escape(boundary)}([ \t]*\r\n|--[ \t]*\r?\n)`;
  return !new RegExp(line).test(`\r\n${bytes.toString("latin1")}\r\n`);
}

/**
 * Whether a truncated body is complete all the same, because a decoy in its epilogue was cut to a closing
 * boundary.
 */
export function endsClosed(bytes: Buffer, boundary: string): boolean {
  const line = `(^|\r\n)--${RegExp.escape(boundary)}--[ \t]*\r?$`;
  return new RegExp(line).test(bytes.toString("latin1"));
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return [...items].sort(() => random(3) - 1);
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!;
}
