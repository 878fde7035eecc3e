/**
 * The ends of a WebSocket: in order with a code and a reason, or abruptly. For protocol errors see
 * violations.ts.
 */
import type { Case } from "../conformance.ts";
import { closePayload, type FrameInit, masked, OPCODE, unmasked } from "../frames.ts";
import type { Step } from "../script.ts";
import { closeLine } from "../transcript.ts";

/** RFC 6455 §7.4: all codes that a Close frame may have. */
const SENDABLE_CODES = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
  ...[3000, 3999, 4000, 4999],
];

/** A Close frame has room for a reason of 123 bytes. */
const LONGEST_REASON = `${"€".repeat(40)}end`;

const CLOSES: readonly (readonly [code: number | null, reason: string])[] = [
  [null, ""],
  [1000, ""],
  [1000, LONGEST_REASON],
  ...SENDABLE_CODES.map((code) => [code, `because of ${code}`] as const),
];

/** npm's ws at both ends. The side that closes gets the same Close back. */
function closed(by: "client" | "server", [code, reason]: (typeof CLOSES)[number]): Case {
  const line = closeLine(code ?? 1005, Buffer.from(reason));
  const closes: readonly Step[] = [{ close: code, reason }];
  return {
    name: `the ${by} sends ${line.slice(0, 40)}`,
    client: { steps: by === "client" ? closes : [] },
    server: { steps: by === "server" ? closes : [] },
    sees: { client: ["101", line], server: ["open", line] },
  };
}

const ABRUPT: readonly Case[] = (["FIN", "RST"] as const).flatMap((leave): readonly Case[] => [
  {
    name: `the client leaves by ${leave}`,
    client: { steps: [{ leave }] },
    server: { steps: [] },
    sees: { client: ["101", "close 1006"], server: ["open", "close 1006"] },
  },
  {
    name: `the server leaves by ${leave}`,
    client: { steps: [] },
    server: { steps: [{ leave }] },
    sees: { client: ["101", "close 1006"], server: ["open", "close 1006"] },
  },
]);

const AFTER_MESSAGES: readonly Case[] = [
  {
    name: "the client leaves by FIN right after three messages",
    client: { steps: [{ text: "kept", times: 3 }, { leave: "FIN" }] },
    server: { steps: [] },
    sees: { client: ["101", "close 1006"], server: ["open", '3 × text "kept"', "close 1006"] },
  },
  {
    name: "the server leaves by FIN right after three messages",
    client: { steps: [] },
    server: { steps: [{ text: "kept", times: 3 }, { leave: "FIN" }] },
    sees: { client: ["101", '3 × text "kept"', "close 1006"], server: ["open", "close 1006"] },
  },
  {
    name: "the client leaves by FIN in the middle of a message",
    client: {
      raw: [
        { bytes: masked({ opcode: OPCODE.text, payload: "half", fin: false }) },
        { leave: "FIN" },
      ],
    },
    server: { steps: [] },
    sees: { client: ["101"], server: ["open", "close 1006"] },
  },
  {
    name: "the server leaves by FIN in the middle of a frame",
    client: { steps: [] },
    server: {
      raw: [
        { bytes: unmasked({ opcode: OPCODE.text, payload: "half", saidLength: 8 }) },
        { leave: "FIN" },
      ],
    },
    sees: { client: ["101", "close 1006"], server: ["open"] },
  },
  {
    name: "the server sends Close, and does not wait for the client's",
    client: { steps: [] },
    server: { raw: [{ bytes: close(unmasked, 1001, "bye") }, { leave: "FIN" }] },
    sees: { client: ["101", 'close 1001 "bye"'], server: ["open", 'close 1001 "bye"'] },
  },
  {
    name: "the server still sends a message when it has got the client's Close",
    client: { steps: [{ close: 1000 }] },
    server: {
      raw: [
        { until: 2 },
        { bytes: unmasked({ opcode: OPCODE.text, payload: "late" }) },
        { bytes: close(unmasked, 1000) },
        { leave: "FIN" },
      ],
    },
    sees: { client: ["101", 'text "late"', "close 1000"], server: ["open", "close 1000"] },
    through: {
      client: ["101", "close 1000"],
      because: "Bun answers a client's Close at once, and cannot send anything after it",
    },
  },
];

export const ENDS: readonly Case[] = [
  ...CLOSES.flatMap((sent) => [closed("client", sent), closed("server", sent)]),
  ...ABRUPT,
  ...AFTER_MESSAGES,
];

function close(encode: (init: FrameInit) => Buffer, code: number, reason = ""): Buffer {
  return encode({ opcode: OPCODE.close, payload: closePayload(code, reason) });
}
