/** Whole messages of all sizes, and many messages: what both ends see. */
import type { Case } from "../conformance.ts";
import type { Step } from "../script.ts";
import { messageLine } from "../transcript.ts";

/**
 * The sizes at which the form of the frame header changes, and the largest message that the proxy passes on.
 */
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 1_048_576, 16_777_216];

/** npm's ws sends it, and npm's ws sends it back. */
function echoed(name: string, step: Step, lines: readonly string[]): Case {
  return {
    name,
    client: { steps: [step, { until: 1 + lines.length }, { close: 1000 }] },
    server: { steps: [], echo: true },
    sees: { client: ["101", ...lines, "close 1000"], server: ["open", ...lines, "close 1000"] },
  };
}

const SIZED = SIZES.flatMap((size): readonly Case[] => [
  echoed(`a text of ${size} B`, { text: "t", repeat: size }, [
    messageLine("text", Buffer.alloc(size, "t")),
  ]),
  echoed(`a binary message of ${size} B`, { binary: "b1", repeat: size }, [
    messageLine("binary", Buffer.alloc(size, 0xb1)),
  ]),
]);

/** Many bytes at once, with the Close frame directly after them. */
const MANY: readonly Case[] = [
  {
    name: "from the server: 20 MB, then Close",
    client: { steps: [] },
    server: {
      steps: [
        { binary: "20", repeat: 1_000_000, times: 20 },
        { close: 1000, reason: "done" },
      ],
    },
    sees: {
      client: [
        "101",
        `20 × ${messageLine("binary", Buffer.alloc(1_000_000, 0x20))}`,
        'close 1000 "done"',
      ],
      server: ["open", 'close 1000 "done"'],
    },
  },
  {
    name: "from the server: 20 MB, then FIN",
    client: { steps: [] },
    server: { steps: [{ binary: "20", repeat: 1_000_000, times: 20 }, { leave: "FIN" }] },
    sees: {
      client: ["101", `20 × ${messageLine("binary", Buffer.alloc(1_000_000, 0x20))}`, "close 1006"],
      server: ["open", "close 1006"],
    },
  },
  {
    name: "from the client: 5,000 messages, then Close",
    client: {
      steps: [
        { text: "many", times: 5_000 },
        { close: 1000, reason: "done" },
      ],
    },
    server: { steps: [] },
    sees: {
      client: ["101", 'close 1000 "done"'],
      server: ["open", '5000 × text "many"', 'close 1000 "done"'],
    },
  },
  {
    name: "from the client: 20 MB, then Close",
    client: { steps: [{ binary: "20", repeat: 1_000_000, times: 20 }, { close: 1000 }] },
    server: { steps: [] },
    sees: {
      client: ["101", "close 1000"],
      server: [
        "open",
        `20 × ${messageLine("binary", Buffer.alloc(1_000_000, 0x20))}`,
        "close 1000",
      ],
    },
  },
  {
    name: "both ways: 1,000 messages each, which cross",
    client: { steps: [{ text: "up", times: 1_000 }, { until: 1_002 }, { close: 1000 }] },
    server: { steps: [{ text: "down", times: 1_000 }, { until: 1_001 }, { text: "last" }] },
    sees: {
      client: ["101", '1000 × text "down"', 'text "last"', "close 1000"],
      server: ["open", '1000 × text "up"', "close 1000"],
    },
  },
];

export const MESSAGES: readonly Case[] = [...SIZED, ...MANY];
