/** Protocol errors from either end, and the reaction of the other end. */
import type { Case } from "../conformance.ts";
import { closePayload, type FrameInit, masked, OPCODE, unmasked } from "../frames.ts";
import type { Step } from "../script.ts";
import { messageLine } from "../transcript.ts";

const DONE: Step = { close: 1000 };

/** Errors against RFC 6455 from either side, and the code with which the other end closes. */
const WRONG: readonly (readonly [name: string, code: number, ...frames: readonly FrameInit[]])[] = [
  ["a text that is not UTF-8", 1007, { opcode: OPCODE.text, payload: bytes(0xff, 0xfe) }],
  [
    "a text that ends within a code point",
    1007,
    { opcode: OPCODE.text, payload: bytes(0xe2, 0x82) },
  ],
  [
    "a text with half a surrogate pair",
    1007,
    { opcode: OPCODE.text, payload: bytes(0xed, 0xa0, 0x80) },
  ],
  ["a text with an overlong code point", 1007, { opcode: OPCODE.text, payload: bytes(0xc0, 0xaf) }],
  [
    "bad UTF-8 in the second fragment",
    1007,
    { opcode: OPCODE.text, payload: "good", fin: false },
    { opcode: OPCODE.continuation, payload: bytes(0xff) },
  ],
  ["a Close frame whose reason is not UTF-8", 1007, closing(1000, bytes(0xff))],
  ...[3, 7, 11, 15].map((opcode) => [`opcode ${opcode}`, 1002, { opcode }] as const),
  ...[4, 2, 1].map(
    (reserved) => [`reserved bits ${reserved}`, 1002, { opcode: OPCODE.text, reserved }] as const,
  ),
  ["a ping of 126 B", 1002, { opcode: OPCODE.ping, payload: "p".repeat(126) }],
  ["a ping in two fragments", 1002, { opcode: OPCODE.ping, fin: false }],
  [
    "a continuation without a first fragment",
    1002,
    { opcode: OPCODE.continuation, payload: "lost" },
  ],
  [
    "a message inside of another message",
    1002,
    { opcode: OPCODE.text, payload: "one", fin: false },
    { opcode: OPCODE.text, payload: "two" },
  ],
  ["a Close frame of 1 B", 1002, { opcode: OPCODE.close, payload: bytes(3) }],
  ...[0, 999, 1004, 1005, 1006, 1015, 2999, 5000].map(
    (code) => [`a Close frame with code ${code}`, 1002, closing(code)] as const,
  ),
];

const BY_EITHER: readonly Case[] = WRONG.flatMap(([name, code, ...frames]) => [
  brokenByClient(name, code, Buffer.concat(frames.map(masked))),
  brokenByServer(name, code, Buffer.concat(frames.map(unmasked))),
]);

const MASKS: readonly Case[] = [
  brokenByClient(
    "a frame without a mask",
    1002,
    unmasked({ opcode: OPCODE.text, payload: "bare" }),
  ),
  brokenByServer("a frame with a mask", 1002, masked({ opcode: OPCODE.text, payload: "hidden" })),
];

function brokenByClient(name: string, code: number, frames: Buffer): Case {
  return {
    name: `the client sends ${name}`,
    reasons: "ignored",
    client: { raw: [{ bytes: frames }, { until: 2 }, { leave: "FIN" }] },
    server: { steps: [] },
    sees: { client: ["101", `close ${code}`], server: ["open", "close 1006"] },
  };
}

function brokenByServer(name: string, code: number, frames: Buffer): Case {
  return {
    name: `the server sends ${name}`,
    reasons: "ignored",
    client: { steps: [] },
    server: { raw: [{ bytes: frames }, { until: 2 }, { leave: "FIN" }] },
    sees: { client: ["101", "close 1006"], server: ["open", `close ${code}`] },
  };
}

const TOO_LONG = { binary: "16", repeat: 16 * 1024 * 1024 + 1 };
const TOO_LONG_LINE = messageLine("binary", Buffer.alloc(TOO_LONG.repeat, 0x16));

const OVER_THE_LIMIT: readonly Case[] = [
  {
    name: "the client sends a message of more than 16 MiB",
    reasons: "ignored",
    client: { steps: [TOO_LONG, DONE] },
    server: { steps: [] },
    sees: { client: ["101", "close 1000"], server: ["open", TOO_LONG_LINE, "close 1000"] },
    through: {
      client: ["101", "close 1009"],
      server: ["open", "close 1006"],
      because: "the proxy holds whole messages in memory, so it has a limit",
    },
  },
  {
    name: "the server sends a message of more than 16 MiB",
    reasons: "ignored",
    client: { steps: [] },
    server: { steps: [TOO_LONG, DONE] },
    sees: { client: ["101", TOO_LONG_LINE, "close 1000"], server: ["open", "close 1000"] },
    through: {
      client: ["101", "close 1011"],
      server: ["open", "close 1009"],
      because: "the proxy holds whole messages in memory, so it has a limit",
    },
  },
];

export const VIOLATIONS: readonly Case[] = [...BY_EITHER, ...MASKS, ...OVER_THE_LIMIT];

function bytes(...values: readonly number[]): Buffer {
  return Buffer.from(values);
}

function closing(code: number, reason: Buffer | string = ""): FrameInit {
  return { opcode: OPCODE.close, payload: closePayload(code, reason) };
}
