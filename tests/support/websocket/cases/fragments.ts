/**
 * Messages in unusual frames, which npm's ws never sends: fragments, single bytes, lengths in too many bytes.
 */
import type { Case } from "../conformance.ts";
import { closePayload, type FrameInit, masked, OPCODE, unmasked } from "../frames.ts";
import { messageLine } from "../transcript.ts";

const FIN = { leave: "FIN" } as const;
const UNMASKED_CLOSE = unmasked({ opcode: OPCODE.close, payload: closePayload(1000) });
const MASKED_CLOSE = masked({ opcode: OPCODE.close, payload: closePayload(1000) });

/** A bare socket sends the frames. npm's ws sends back the message that it received. */
function echoedFrames(
  name: string,
  bytes: Buffer,
  line: string,
  how: { readonly chopped?: true } = {},
): Case {
  return {
    name: `from the client: ${name}`,
    client: { raw: [{ bytes, ...how }, { until: 2 }, { bytes: MASKED_CLOSE }] },
    server: { steps: [], echo: true },
    sees: { client: ["101", line, "close 1000"], server: ["open", line, "close 1000"] },
  };
}

/** A bare socket sends the frames to npm's ws. */
function receivedFrames(
  name: string,
  bytes: Buffer,
  line: string,
  how: { readonly chopped?: true } = {},
): Case {
  return {
    name: `from the server: ${name}`,
    client: { steps: [{ until: 2 }, { close: 1000 }] },
    server: {
      raw: [
        { bytes, ...how },
        { until: 2 },
        { bytes: unmasked({ opcode: OPCODE.close, payload: closePayload(1000) }) },
        { leave: "FIN" },
      ],
    },
    sees: { client: ["101", line, "close 1000"], server: ["open", "close 1000"] },
  };
}

const EURO = Buffer.from("€");

type Framed = readonly [
  name: string,
  frames: readonly FrameInit[],
  line: string,
  how?: { readonly chopped: true },
];

const FRAMED: readonly Framed[] = [
  [
    "a text, a byte at a time",
    [{ opcode: OPCODE.text, payload: "chopped €" }],
    'text "chopped €"',
    { chopped: true },
  ],
  [
    "a binary message with 2 bytes of length, a byte at a time",
    [{ opcode: OPCODE.binary, payload: Buffer.alloc(126, 7) }],
    messageLine("binary", Buffer.alloc(126, 7)),
    { chopped: true },
  ],
  [
    "a text in three fragments",
    [
      { opcode: OPCODE.text, payload: "one ", fin: false },
      { opcode: OPCODE.continuation, payload: "two ", fin: false },
      { opcode: OPCODE.continuation, payload: "three" },
    ],
    'text "one two three"',
  ],
  [
    "a binary message whose first and last fragments are empty",
    [
      { opcode: OPCODE.binary, fin: false },
      { opcode: OPCODE.continuation, payload: Buffer.from([1, 0, 255]), fin: false },
      { opcode: OPCODE.continuation },
    ],
    "binary 0x0100ff",
  ],
  [
    "an empty text in two empty fragments",
    [{ opcode: OPCODE.text, fin: false }, { opcode: OPCODE.continuation }],
    'text ""',
  ],
  [
    "a text in 1,000 fragments",
    fragments(Buffer.alloc(1_000, "f"), 1_000),
    messageLine("text", Buffer.alloc(1_000, "f")),
  ],
  [
    "a text whose fragments split a code point",
    [
      { opcode: OPCODE.text, payload: EURO.subarray(0, 1), fin: false },
      { opcode: OPCODE.continuation, payload: EURO.subarray(1, 2), fin: false },
      { opcode: OPCODE.continuation, payload: EURO.subarray(2) },
    ],
    'text "€"',
  ],
  [
    "a length of 5 in 2 bytes",
    [{ opcode: OPCODE.text, payload: "short", lengthForm: "16 bits" }],
    'text "short"',
  ],
  [
    "a length of 5 in 8 bytes",
    [{ opcode: OPCODE.text, payload: "short", lengthForm: "64 bits" }],
    'text "short"',
  ],
  ["a text with a NUL and an astral character", [text("\0 𝒳")], 'text "\\u0000 𝒳"'],
  ["a text with a byte order mark", [text("\ufeffmark")], 'text "\ufeffmark"'],
];

/** A client of npm's ws sees these in the same order, so there are no separate cases for the server. */
const INTERLEAVED: readonly Case[] = [
  {
    name: "from the client: a ping between fragments",
    client: {
      raw: [
        {
          bytes: joined(masked, [
            { opcode: OPCODE.text, payload: "be", fin: false },
            { opcode: OPCODE.ping, payload: "between" },
            { opcode: OPCODE.continuation, payload: "fore" },
          ]),
        },
        { until: 3 },
        { bytes: MASKED_CLOSE },
      ],
    },
    server: { steps: [], echo: true },
    sees: {
      client: ["101", 'pong "between"', 'text "before"', "close 1000"],
      server: ["open", 'ping "between"', 'text "before"', "close 1000"],
    },
  },
  {
    name: "from the server: a ping between fragments",
    client: { steps: [{ until: 3 }, { close: 1000 }] },
    server: {
      raw: [
        {
          bytes: joined(unmasked, [
            { opcode: OPCODE.text, payload: "be", fin: false },
            { opcode: OPCODE.ping, payload: "between" },
            { opcode: OPCODE.continuation, payload: "fore" },
          ]),
        },
        { until: 3 },
        { bytes: unmasked({ opcode: OPCODE.close, payload: closePayload(1000) }) },
        { leave: "FIN" },
      ],
    },
    sees: {
      client: ["101", 'ping "between"', 'text "before"', "close 1000"],
      server: ["open", 'pong "between"', "close 1000"],
    },
  },
];

const IN_TWO: readonly FrameInit[] = [
  { opcode: OPCODE.text, payload: "one ", fin: false },
  { opcode: OPCODE.continuation, payload: "two" },
];
const SEEN_IN_TWO = ['text "one ", not final', 'continuation "two"'];
const AS_ONE = {
  lines: ['text "one two"'],
  because: "Bun delivers only whole messages, and hides their fragments",
};

/** Bare sockets at both ends. */
const AS_FRAMES: readonly Case[] = [
  {
    name: "from the client: two fragments are two frames",
    client: {
      raw: [{ bytes: joined(masked, IN_TWO) }, { bytes: MASKED_CLOSE }, { until: 2 }, FIN],
    },
    server: { raw: [{ until: 3 }, { bytes: UNMASKED_CLOSE }] },
    sees: { client: ["101", "close 1000"], server: ["open", ...SEEN_IN_TWO, "close 1000"] },
    through: { server: ["open", ...AS_ONE.lines, "close 1000"], because: AS_ONE.because },
  },
  {
    name: "from the server: two fragments are two frames",
    client: { raw: [{ until: 3 }, { bytes: MASKED_CLOSE }, FIN] },
    server: {
      raw: [{ bytes: joined(unmasked, IN_TWO) }, { bytes: UNMASKED_CLOSE }, { until: 2 }, FIN],
    },
    sees: { client: ["101", ...SEEN_IN_TWO, "close 1000"], server: ["open", "close 1000"] },
    through: { client: ["101", ...AS_ONE.lines, "close 1000"], because: AS_ONE.because },
  },
];

export const FRAGMENTS: readonly Case[] = [
  ...FRAMED.flatMap(([name, frames, line, how]) => [
    echoedFrames(name, joined(masked, frames), line, how),
    receivedFrames(name, joined(unmasked, frames), line, how),
  ]),
  ...INTERLEAVED,
  ...AS_FRAMES,
];

function text(payload: string): FrameInit {
  return { opcode: OPCODE.text, payload };
}

function joined(encode: (init: FrameInit) => Buffer, frames: readonly FrameInit[]): Buffer {
  return Buffer.concat(frames.map(encode));
}

function fragments(payload: Buffer, count: number): readonly FrameInit[] {
  const size = payload.length / count;
  return Array.from({ length: count }, (_, nth) => ({
    opcode: nth === 0 ? OPCODE.text : OPCODE.continuation,
    payload: payload.subarray(nth * size, (nth + 1) * size),
    fin: nth === count - 1,
  }));
}
