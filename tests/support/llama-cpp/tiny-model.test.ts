import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../temporary-directory.ts";
import { type ModelShape, TINY, writeModel } from "./tiny-model.ts";

/** The head of a file: `GGUF`, the version, the number of tensors, the number of metadata entries. */
const HEAD_BYTES = 24;

function written(shape: ModelShape): Buffer {
  using directory = temporaryDirectory();
  const path = join(directory.path, "model.gguf");
  writeModel(path, shape);
  return readFileSync(path);
}

test("writeModel() writes the same bytes for the same seed, and different bytes for another seed", () => {
  const first = written(TINY);
  expect(written(TINY).equals(first)).toBe(true);
  const other = written({ ...TINY, seed: TINY.seed + 1 });
  expect(other.length).toBe(first.length);
  expect(other.equals(first)).toBe(false);
});

test("writeModel() writes a valid head and aligned tensors", () => {
  const model = written(TINY);
  const head = model.subarray(0, HEAD_BYTES);
  const tensorsPerLayer = 9;
  const others = 3;
  expect(head.toString("latin1", 0, 4)).toBe("GGUF");
  expect(head.readUInt32LE(4)).toBe(3);
  expect(head.readBigUInt64LE(8)).toBe(BigInt(TINY.layers * tensorsPerLayer + others));
  expect(model.length % 32).toBe(0);
});
