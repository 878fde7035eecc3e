/**
 * The state machine of one container in one screen: what is held × what is seen → what to do.
 * Pure; src/fleet/member.ts carries it out. What is seen is decided in observe.ts.
 */

/** `draining after notice`: a stop notice was seen in this run, whatever became of it. */
export type Held = "unknown" | "probing" | "active" | "draining" | "draining after notice";

export type Seen =
  | "routable"
  /** A stop notice that has not lapsed. */
  | "stopping"
  /** Unhealthy or paused. */
  | "not healthy"
  | "starting"
  /** The run is over, or nothing to be routed. */
  | "absent"
  | "models read"
  | "read failed";

export type Step =
  | "keep"
  | "probe"
  | "stop probing"
  | "admit"
  /** At once, with the models it had: a new Backend beside the old one. */
  | "readmit"
  /** No new requests; those in flight may go on for as long as the process lives. */
  | "drain"
  | "drain by deadline"
  | "set deadline"
  | "replace models"
  /** All it has, draining or not. */
  | "remove";

const STEPS: Readonly<Record<Held, Readonly<Record<Seen, Step>>>> = {
  unknown: {
    routable: "probe",
    stopping: "keep",
    "not healthy": "keep",
    starting: "keep",
    absent: "remove",
    "models read": "keep",
    "read failed": "keep",
  },
  probing: {
    routable: "keep",
    stopping: "stop probing",
    "not healthy": "stop probing",
    starting: "stop probing",
    absent: "remove",
    "models read": "admit",
    "read failed": "keep",
  },
  active: {
    routable: "keep",
    stopping: "drain by deadline",
    "not healthy": "drain",
    // Docker 26 forgets health for a probe interval when a daemon with live-restore comes back.
    starting: "keep",
    absent: "remove",
    "models read": "replace models",
    "read failed": "keep",
  },
  draining: {
    routable: "readmit",
    stopping: "set deadline",
    "not healthy": "keep",
    starting: "keep",
    absent: "remove",
    "models read": "keep",
    "read failed": "keep",
  },
  "draining after notice": {
    routable: "probe",
    stopping: "set deadline",
    "not healthy": "keep",
    starting: "keep",
    absent: "remove",
    "models read": "keep",
    "read failed": "keep",
  },
};

export function plan(held: Held, seen: Seen): Step {
  return STEPS[held][seen];
}
