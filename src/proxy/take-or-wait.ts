/**
 * Has a request forwarded, or wait until that can be done. Decides which requests may wait.
 */
import type { Answer } from "./forward.ts";
import { type Addressed, take } from "./lease.ts";
import { refuse } from "./own/errors.ts";
import {
  askingAgain,
  type Going,
  type Named,
  ofOurs,
  PatientRequest,
  type SendingInit,
} from "./patient-request.ts";
import { Tries } from "./tries.ts";
import type { WaitingRoom } from "./waiting-room.ts";

export type TakeOrWaitInit = SendingInit & {
  /** Nobody waits if it is not given. */
  readonly waitingRoom?: WaitingRoom;
};

/** Says whether requests to there may wait: nothing waits whose body names no model. */
export function mayWait(to: Addressed, room: WaitingRoom | undefined): to is Named {
  return room?.isOpen === true && to.kind === "model" && to.isInBody;
}

/** Resolves when the answer has begun. */
export function takeOrWait(going: Going, init: TakeOrWaitInit): Promise<Answer> {
  const { destination } = going;
  const { waitingRoom } = init;
  if (waitingRoom !== undefined && mayWait(destination, waitingRoom)) {
    return new PatientRequest({ ...going, destination }, init, waitingRoom).answer();
  }
  const taken = take(destination, init, going.asking); // no await between here and forward()
  if (taken.kind === "refused") return Promise.resolve(ofOurs(refuse(taken.refusal())));
  const tries = new Tries(going.mayRepeat);
  return init.forwarder.forward({ ...going, asking: askingAgain(going), tries }, taken);
}
