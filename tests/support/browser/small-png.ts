/** Makes a screenshot small enough for the repository: a PNG with a palette of at most 256 colours. Pure. */
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
/** Source: PNG specification, "Colour type": each sample has 8 bits. */
const CHANNELS = new Map([
  [2, 3],
  [6, 4],
]);
const COLOURS_MAX = 256;
/** Two colours are similar if these bits are equal: the upper four bits of each channel. */
const NEARLY = 0xf0f0f0;
/** How many of the most frequent colours stay exact. They are the colours of large areas. */
const EXACT = 32;

type Picture = { readonly width: number; readonly height: number; readonly pixels: Uint32Array };

/**
 * @param png as Chromium writes it: RGB or RGBA with 8 bits, not interlaced. Transparent pixels become opaque
 */
export function smallPng(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png);
  const palette = paletteOf(pixels);
  const nearest = new Map<number, number>();
  const rows = Buffer.alloc((width + 1) * height); // each row begins with its filter type: 0 means none
  for (const [n, colour] of pixels.entries()) {
    const index = nearest.get(colour) ?? nearestIn(palette, colour);
    nearest.set(colour, index);
    rows[n + Math.floor(n / width) + 1] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // 8 bits a pixel, with a palette
  const colours = Buffer.from(palette.flatMap((colour) => channels(colour)));
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", header),
    chunk("PLTE", colours),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

function decode(png: Buffer): Picture {
  const parts: Buffer[] = [];
  let [width, height, size] = [0, 0, 0];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const data = png.subarray(at + 8, at + 8 + length);
    const type = png.toString("latin1", at + 4, at + 8);
    if (type === "IHDR") {
      [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
      size = CHANNELS.get(data[9] ?? 0) ?? 0;
      if (size === 0 || data[8] !== 8 || data[12] !== 0)
        throw new Error(
          "Cannot read this PNG: it is interlaced, or does not have 8 bits a channel",
        );
    }
    if (type === "IDAT") parts.push(data);
    at += 12 + length;
  }
  const bytes = unfiltered(inflateSync(Buffer.concat(parts)), width * size, size);
  const pixels = Uint32Array.from({ length: width * height }, (_, n) =>
    bytes.readUIntBE(n * size, 3),
  );
  return { width, height, pixels };
}

/** @param width of a row, in bytes */
function unfiltered(rows: Buffer, width: number, size: number): Buffer {
  const bytes = Buffer.alloc((rows.length / (width + 1)) * width);
  for (let out = 0; out < bytes.length; out += 1) {
    const [row, x] = [Math.floor(out / width), out % width];
    const above = row === 0 ? 0 : (bytes[out - width] ?? 0);
    const before = x < size ? [0, 0] : [bytes[out - size] ?? 0, bytes[out - width - size] ?? 0];
    const start = row * (width + 1);
    const guess = guessOf(rows[start] ?? 0, above, before);
    bytes[out] = (rows[start + 1 + x] ?? 0) + guess;
  }
  return bytes;
}

/** Source: PNG specification, "Filter types for filter method 0". */
function guessOf(filter: number, up: number, [left = 0, corner = 0]: readonly number[]): number {
  switch (filter) {
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, corner);
    default:
      return 0;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [left, up, corner].map((value) => Math.abs(guess - value)) as [
    number,
    number,
    number,
  ];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** First the most frequent colours. Then, from each group of similar colours, the most frequent one. */
function paletteOf(pixels: Uint32Array): readonly number[] {
  const counts = new Map<number, number>();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const ranked = [...counts].sort(([, a], [, b]) => b - a).map(([colour]) => colour);
  const groups = Map.groupBy(ranked, (colour) => colour & NEARLY);
  const sums = [...groups.values()].map((group) => ({
    colour: group[0] ?? 0,
    count: group.reduce((sum, colour) => sum + (counts.get(colour) ?? 0), 0),
  }));
  const others = sums.sort((a, b) => b.count - a.count).map(({ colour }) => colour);
  return [...new Set([...ranked.slice(0, EXACT), ...others])].slice(0, COLOURS_MAX);
}

function nearestIn(palette: readonly number[], colour: number): number {
  const wanted = channels(colour);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const [n, candidate] of palette.entries()) {
    const distance = channels(candidate).reduce(
      (sum, value, c) => sum + (value - (wanted[c] ?? 0)) ** 2,
      0,
    );
    if (distance < least) [best, least] = [n, distance];
  }
  return best;
}

function channels(colour: number): readonly number[] {
  return [colour >> 16, (colour >> 8) & 255, colour & 255];
}
