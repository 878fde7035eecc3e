/**
 * Forwards a request, or makes it wait until that is possible. Decides which requests may wait.
 */
import { type Answer, ofOurs } from "./answer.ts";
import type { Exchange } from "./exchange.ts";
import { type Addressed, take } from "./lease.ts";
import { refuse } from "./own/errors.ts";
import {
  askingAgain,
  type Going,
  type Named,
  PatientRequest,
  type SendingInit,
} from "./patient-request.ts";
import { Tries } from "./tries.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export type TakeOrWaitInit = SendingInit & {
  /** Without it no request waits. */
  readonly waitingRoom?: WaitingRoom;
};

/** Says whether a request may wait: it must name a model, in its body or in the handshake of a WebSocket. */
export function mayWait(
  { isHandshake }: Pick<Exchange, "isHandshake">,
  to: Addressed,
  room: WaitingRoom | undefined,
): to is Named {
  return room?.isOpen === true && to.kind === "model" && (to.isInBody || isHandshake);
}

/** Resolves when the answer has begun. */
export function takeOrWait(going: Going, init: TakeOrWaitInit): Promise<Answer> {
  const { destination, exchange } = going;
  const { waitingRoom } = init;
  if (waitingRoom !== undefined && mayWait(exchange, destination, waitingRoom)) {
    return new PatientRequest({ ...going, destination }, init, waitingRoom).answer();
  }
  const taken = take(destination, init, going.asking); // no await between here and forward()
  if (taken.kind === "refused") return Promise.resolve(ofOurs(refuse(taken.refusal())));
  const tries = new Tries(going.mayRepeat);
  const { body } = going;
  return init.forwarder.forward({ exchange, body, asking: askingAgain(going), tries }, taken);
}
