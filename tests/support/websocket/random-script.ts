/**
 * Random steps of one end of a WebSocket, from a seed: messages in all kinds of frames, and all kinds of
 * ends.
 */
import { pick, type Random } from "../client/random-json.ts";
import { closePayload, type FrameInit, OPCODE } from "./frames.ts";
import type { RawStep } from "./script.ts";
import { messageLine } from "./transcript.ts";

/** How an end stops. "stays" leaves that to the other end. */
type Ending = "stays" | "close" | "violation" | "FIN" | "RST";

export type RandomScript = {
  readonly steps: readonly RawStep[];
  /** The messages, as the other end must see them. */
  readonly messages: readonly string[];
  readonly ending: Ending;
};

type Encode = (init: FrameInit) => Buffer;

const SIZES = [0, 1, 5, 125, 126, 5_000, 65_536, 300_000];
const ENDINGS: readonly Ending[] = ["stays", "close", "close", "violation", "FIN", "RST"];

/** @param encode with or without a mask */
export function randomScript(random: Random, encode: Encode): RandomScript {
  const steps: RawStep[] = [];
  const messages: string[] = [];
  for (let left = random(12); left > 0; left -= 1) {
    const opcode = pick(random, [OPCODE.text, OPCODE.binary]);
    const payload = Buffer.alloc(pick(random, SIZES), 97 + random(26));
    const bytes = Buffer.concat(inFragments(random, opcode, payload).map(encode));
    steps.push({ bytes, ...(bytes.length < 200 && random(4) === 0 && { chopped: true }) });
    messages.push(messageLine(opcode === OPCODE.text ? "text" : "binary", payload));
  }
  const ending = pick(random, ENDINGS);
  return { steps: [...steps, ...endingSteps(ending, encode)], messages, ending };
}

/** With pings and pongs between the fragments. */
function inFragments(random: Random, opcode: number, payload: Buffer): readonly FrameInit[] {
  const frames: FrameInit[] = [];
  let at = 0;
  let next = opcode;
  while (random(3) === 0) {
    const end = at + random(payload.length - at + 1);
    frames.push({ opcode: next, payload: payload.subarray(at, end), fin: false });
    if (random(2) === 0) frames.push({ opcode: pick(random, [OPCODE.ping, OPCODE.pong]) });
    at = end;
    next = OPCODE.continuation;
  }
  return [...frames, { opcode: next, payload: payload.subarray(at) }];
}

function endingSteps(ending: Ending, encode: Encode): readonly RawStep[] {
  switch (ending) {
    case "stays":
      return [{ until: "close" }, { leave: "FIN" }];
    case "close":
      return [
        { bytes: encode({ opcode: OPCODE.close, payload: closePayload(3000, "random") }) },
        { leave: "FIN" },
      ];
    case "violation":
      return [{ bytes: encode({ opcode: 3 }) }, { until: "close" }, { leave: "FIN" }];
    case "FIN":
    case "RST":
      return [{ leave: ending }];
  }
}
