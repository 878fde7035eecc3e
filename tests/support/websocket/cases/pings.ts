/** Pings and pongs from both ends. The two ends check each other's liveness, so each must see the other's. */
import type { Case } from "../conformance.ts";
import { closePayload, masked, OPCODE, unmasked } from "../frames.ts";
import type { Step } from "../script.ts";
import { messageLine } from "../transcript.ts";

const DONE: Step = { close: 1000 };

const PAYLOADS = ["", "beat", "p".repeat(125)];

const ANSWERED: readonly Case[] = PAYLOADS.flatMap((payload): readonly Case[] => {
  const ping = messageLine("ping", Buffer.from(payload));
  const pong = messageLine("pong", Buffer.from(payload));
  const size = `with ${payload.length} B`;
  return [
    {
      name: `the client's ping ${size}`,
      client: { steps: [{ ping: payload }, { until: 2 }, { text: "after" }, { until: 3 }, DONE] },
      server: { steps: [], echo: true },
      sees: {
        client: ["101", pong, 'text "after"', "close 1000"],
        server: ["open", ping, 'text "after"', "close 1000"],
      },
    },
    {
      name: `the server's ping ${size}`,
      client: { steps: [{ until: 3 }, DONE] },
      server: { steps: [{ ping: payload }, { until: 2 }, { text: "after" }] },
      sees: {
        client: ["101", ping, 'text "after"', "close 1000"],
        server: ["open", pong, "close 1000"],
      },
    },
    {
      name: `the client's unsolicited pong ${size}`,
      client: { steps: [{ pong: payload }, { text: "after" }, { until: 2 }, DONE] },
      server: { steps: [], echo: true },
      sees: {
        client: ["101", 'text "after"', "close 1000"],
        server: ["open", pong, 'text "after"', "close 1000"],
      },
    },
    {
      name: `the server's unsolicited pong ${size}`,
      client: { steps: [] },
      server: { steps: [{ pong: payload }, { text: "after" }, DONE] },
      sees: {
        client: ["101", pong, 'text "after"', "close 1000"],
        server: ["open", "close 1000"],
      },
    },
  ];
});

const MASKED_CLOSE = masked({ opcode: OPCODE.close, payload: closePayload(1000) });
const UNMASKED_CLOSE = unmasked({ opcode: OPCODE.close, payload: closePayload(1000) });

/** Bare sockets, which answer no ping: the sender of pings must notice that the other end does not answer. */
const UNANSWERED: readonly Case[] = [
  {
    name: "the server's ping, which the client does not answer",
    client: { raw: [{ until: 3 }, { bytes: MASKED_CLOSE }, { until: 4 }] },
    server: {
      raw: [
        { bytes: unmasked({ opcode: OPCODE.ping, payload: "beat" }) },
        { bytes: unmasked({ opcode: OPCODE.text, payload: "after" }) },
        { until: 2 },
        { bytes: UNMASKED_CLOSE },
        { leave: "FIN" },
      ],
    },
    sees: {
      client: ["101", 'ping "beat"', 'text "after"', "close 1000"],
      server: ["open", "close 1000"],
    },
  },
  {
    name: "the client's ping, which the server does not answer",
    client: {
      raw: [
        { bytes: masked({ opcode: OPCODE.ping, payload: "beat" }) },
        { bytes: masked({ opcode: OPCODE.text, payload: "after" }) },
        { bytes: MASKED_CLOSE },
      ],
    },
    server: { raw: [{ until: 4 }, { bytes: UNMASKED_CLOSE }, { leave: "FIN" }] },
    sees: {
      client: ["101", "close 1000"],
      server: ["open", 'ping "beat"', 'text "after"', "close 1000"],
    },
    through: {
      client: ["101", 'pong "beat"', "close 1000"],
      because: "Bun answers a client's ping itself",
    },
  },
];

export const PINGS: readonly Case[] = [...ANSWERED, ...UNANSWERED];
