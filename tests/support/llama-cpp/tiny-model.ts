/**
 * A language model of the llama architecture with random weights, as a GGUF file. It writes nonsense in
 * printable ASCII, always the same for the same seed, prompt and sampling. It never ends an answer by itself:
 * `max_tokens` or a full context ends it.
 */
import { type Tensor, type Value, writeGguf } from "./gguf.ts";

export type ModelShape = {
  readonly seed: number;
  /** Length of a token's vector. Must be a multiple of HEADS. */
  readonly width: number;
  readonly layers: number;
  readonly contextTokens: number;
};

/** 0.7 MB. */
export const TINY: ModelShape = { seed: 1, width: 64, layers: 2, contextTokens: 4_096 };
/** The same size, with other answers. */
export const OTHER: ModelShape = { ...TINY, seed: 2 };
/** 305 MB. */
export const LARGE: ModelShape = { ...TINY, seed: 3, width: 1_536 };

const HEADS = 4;
const FEED_FORWARD_FACTOR = 4;

/** For each message: the role, the text, a line break. The last word asks for an answer. */
const CHAT_TEMPLATE =
  "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}" +
  "{% if add_generation_prompt %}assistant: {% endif %}";

/** llama.cpp's numbers. */
const TOKEN = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;
const SPECIAL = [
  ["<unk>", TOKEN.unknown],
  ["<s>", TOKEN.control],
  ["</s>", TOKEN.control],
  ["<prefix>", TOKEN.control],
  ["<suffix>", TOKEN.control],
  ["<middle>", TOKEN.control],
] as const;
/** How this kind of tokenizer writes a space. */
const SPACE = "\u2581";
const BYTES = 256;
const VOCABULARY: readonly (readonly [text: string, type: number])[] = [
  ...SPECIAL,
  ...Array.from({ length: BYTES }, (_, byte) => [byteToken(byte), TOKEN.byte] as const),
  [SPACE, TOKEN.normal],
];

export function writeModel(path: string, shape: ModelShape): void {
  writeGguf(path, metadataOf(shape), tensorsOf(shape));
}

function metadataOf({ width, layers, contextTokens }: ModelShape): Record<string, Value> {
  const uint32 = (value: number): Value => ({ type: "uint32", value });
  const string = (value: string): Value => ({ type: "string", value });
  return {
    "general.architecture": string("llama"),
    "general.name": string("random weights"),
    "llama.context_length": uint32(contextTokens),
    "llama.embedding_length": uint32(width),
    "llama.block_count": uint32(layers),
    "llama.feed_forward_length": uint32(width * FEED_FORWARD_FACTOR),
    "llama.attention.head_count": uint32(HEADS),
    "llama.attention.head_count_kv": uint32(HEADS),
    "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-5 },
    "llama.rope.dimension_count": uint32(width / HEADS),
    "llama.vocab_size": uint32(VOCABULARY.length),
    "tokenizer.ggml.model": string("llama"),
    "tokenizer.ggml.tokens": { type: "strings", value: VOCABULARY.map(([text]) => text) },
    "tokenizer.ggml.scores": { type: "float32s", value: VOCABULARY.map(() => 0) },
    "tokenizer.ggml.token_type": { type: "int32s", value: VOCABULARY.map(([, type]) => type) },
    "tokenizer.ggml.unknown_token_id": uint32(0),
    "tokenizer.ggml.bos_token_id": uint32(1),
    "tokenizer.ggml.eos_token_id": uint32(2),
    "tokenizer.ggml.fim_pre_token_id": uint32(3), // these three are for /infill
    "tokenizer.ggml.fim_suf_token_id": uint32(4),
    "tokenizer.ggml.fim_mid_token_id": uint32(5),
    "tokenizer.ggml.seperator_token_id": uint32(2), // spelt like this in the format; for rerank
    "tokenizer.ggml.add_space_prefix": { type: "bool", value: false },
    "tokenizer.chat_template": string(CHAT_TEMPLATE),
  };
}

function tensorsOf({ seed, width, layers }: ModelShape): readonly Tensor[] {
  const next = random(seed);
  const wide = width * FEED_FORWARD_FACTOR;
  const norm = (name: string): Tensor => ({
    name,
    shape: [width],
    values: () => new Float32Array(width).fill(1),
  });
  /** @param adjust changes a value by its row and column */
  const matrix = (
    name: string,
    [columns, rows]: readonly [number, number],
    adjust: (value: number, row: number, column: number) => number = (value) => value,
  ): Tensor => ({
    name,
    shape: [columns, rows],
    values: () => {
      const scale = 1 / Math.sqrt(columns);
      const filled = new Float32Array(columns * rows);
      for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
          filled[row * columns + column] = adjust(next() * scale, row, column);
        }
      }
      return filled;
    },
  });
  return [
    matrix("token_embd.weight", [width, VOCABULARY.length], constantFirst),
    ...Array.from({ length: layers }, (_, layer) => `blk.${layer}.`).flatMap((block) => [
      norm(`${block}attn_norm.weight`),
      matrix(`${block}attn_q.weight`, [width, width]),
      matrix(`${block}attn_k.weight`, [width, width]),
      matrix(`${block}attn_v.weight`, [width, width]),
      matrix(`${block}attn_output.weight`, [width, width], keepFirst),
      norm(`${block}ffn_norm.weight`),
      matrix(`${block}ffn_gate.weight`, [width, wide]),
      matrix(`${block}ffn_up.weight`, [width, wide]),
      matrix(`${block}ffn_down.weight`, [wide, width], keepFirst),
    ]),
    norm("output_norm.weight"),
    matrix("output.weight", [width, VOCABULARY.length], printableOnly),
  ];
}

/** Every token has a 1 as the first number of its vector. */
function constantFirst(value: number, _row: number, column: number): number {
  return column === 0 ? 1 : value;
}

/** No layer adds anything to this first number. */
function keepFirst(value: number, row: number): number {
  return row === 0 ? 0 : value;
}

/** So the first column of the output adds the same amount to a token's score in every position. */
function printableOnly(value: number, row: number, column: number): number {
  if (column !== 0) return value * OUTPUT_SCALE;
  return isPrintable(row) ? 0 : NEVER;
}

/** Makes one token much likelier than the others, as in a trained model. */
const OUTPUT_SCALE = 4;
const NEVER = -1_000;

function isPrintable(token: number): boolean {
  const byte = token - SPECIAL.length;
  return (byte > 0x20 && byte < 0x7f) || byte === BYTES;
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** Mulberry32: numbers from -1 to 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
