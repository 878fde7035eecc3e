/**
 * Writes model files for llama.cpp in the GGUF format, version 3, little-endian.
 * Source: docs/gguf.md of ggml. For the content of the models see tiny-model.ts.
 */
import { closeSync, openSync, writeSync } from "node:fs";

/** The types of metadata that our models need. Each has a number in the format. */
export type Value =
  | { readonly type: "uint32"; readonly value: number }
  | { readonly type: "float32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "strings"; readonly value: readonly string[] }
  | { readonly type: "float32s"; readonly value: readonly number[] }
  | { readonly type: "int32s"; readonly value: readonly number[] };

export type Tensor = {
  readonly name: string;
  /** The first number is the length of a row. */
  readonly shape: readonly number[];
  /** All values, row by row. Called when they are written: only one tensor is in memory at a time. */
  readonly values: () => Float32Array;
};

const TYPE = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const VERSION = 3;
const FLOAT32_TENSOR = 0;
const FLOAT32_BYTES = 4;
/** The default of `general.alignment`. */
const ALIGNMENT = 32;

export function writeGguf(
  path: string,
  metadata: Readonly<Record<string, Value>>,
  tensors: readonly Tensor[],
): void {
  const head = headOf(metadata, tensors);
  const file = openSync(path, "w");
  try {
    writeAll(file, head);
    for (const { shape, values } of tensors) {
      const bytes = new Uint8Array(values().buffer);
      if (bytes.length !== sizeOf(shape))
        throw new Error(`Cannot write ${bytes.length} bytes as a tensor of shape ${shape}`);
      writeAll(file, bytes);
      writeAll(file, new Uint8Array(padding(bytes.length)));
    }
  } finally {
    closeSync(file);
  }
}

function headOf(metadata: Readonly<Record<string, Value>>, tensors: readonly Tensor[]): Uint8Array {
  const entries = Object.entries(metadata);
  const parts: Uint8Array[] = [
    new TextEncoder().encode("GGUF"),
    uint32(VERSION),
    uint64(tensors.length),
    uint64(entries.length),
  ];
  for (const [key, value] of entries) parts.push(string(key), ...typed(value));
  let offset = 0;
  for (const { name, shape } of tensors) {
    parts.push(string(name), uint32(shape.length), ...shape.map(uint64));
    parts.push(uint32(FLOAT32_TENSOR), uint64(offset));
    const size = sizeOf(shape);
    offset += size + padding(size);
  }
  const head = Buffer.concat(parts);
  return Buffer.concat([head, new Uint8Array(padding(head.length))]);
}

function typed(value: Value): readonly Uint8Array[] {
  switch (value.type) {
    case "uint32":
      return [uint32(TYPE.uint32), uint32(value.value)];
    case "float32":
      return [uint32(TYPE.float32), float32(value.value)];
    case "bool":
      return [uint32(TYPE.bool), Uint8Array.of(value.value ? 1 : 0)];
    case "string":
      return [uint32(TYPE.string), string(value.value)];
    case "strings":
      return array(TYPE.string, value.value.map(string));
    case "float32s":
      return array(TYPE.float32, value.value.map(float32));
    case "int32s":
      return array(TYPE.int32, value.value.map(uint32));
  }
}

function array(type: number, items: readonly Uint8Array[]): readonly Uint8Array[] {
  return [uint32(TYPE.array), uint32(type), uint64(items.length), ...items];
}

function string(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function uint64(value: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}

function float32(value: number): Uint8Array {
  return new Uint8Array(Float32Array.of(value).buffer);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, FLOAT32_BYTES);
}

/** How many bytes are missing to the next multiple of the alignment. */
function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
