/**
 * The commands `drain` and `undrain`. `drain` waits until the container has no requests left. The container
 * stays drained even if the command is interrupted. control-call.ts talks to the proxy.
 */
import { z } from "zod/mini";
import { DRAIN, DRAIN_STATE, UNDRAIN } from "../ground/control-socket.ts";
import { printable } from "../ground/printable.ts";
import type { DrainCommand } from "./arguments.ts";
import { CANNOT, type CommandResult, failed, NOT_WELL, OK } from "./command-result.ts";
import { type ControlReply, callControl } from "./control-call.ts";

/** The time between two checks of the requests left. */
const LOOK_MS = 100;
/** The shortest time between two progress lines. */
const LINE_MS = 1_000;

const Changed = z.object({
  name: z.string(),
  run: z.string(),
  in_flight: z.number(),
  is_new: z.boolean(),
});
type Changed = z.infer<typeof Changed>;
const Left = z.object({ state: z.string(), in_flight: z.number() });

/**
 * @param sockets the sockets that the proxy may listen on, in the order to try
 * @param print prints a line at once
 */
export async function drain(
  { container, timeoutMs }: DrainCommand,
  sockets: readonly string[],
  print: (line: string) => void,
): Promise<CommandResult> {
  const deadlineMs = performance.now() + timeoutMs;
  const begun = await change(DRAIN, container, sockets);
  if (begun.kind === "failed") return failed(CANNOT, begun.reason);
  const { socket, reply } = begun;
  const { name, in_flight, is_new } = reply;
  print(
    printable(`${name}: ${is_new ? "" : "already "}draining; ${requests(in_flight)} in flight`),
  );
  const tell = progress(reply, print);
  for (let left = in_flight; left > 0; tell(left)) {
    const remainingMs = deadlineMs - performance.now();
    if (remainingMs <= 0) return failed(NOT_WELL, timeIsUp(name, left, timeoutMs));
    await Bun.sleep(Math.min(LOOK_MS, remainingMs));
    const look = await lookAt(reply, socket);
    if ("code" in look) return look;
    left = look.in_flight;
  }
  return { code: OK, stdout: line(`${name}: drained; no requests left`) };
}

/** @returns the requests left, or the result of the command if there is nothing left to wait for */
async function lookAt(
  { name, run }: Changed,
  socket: string,
): Promise<z.infer<typeof Left> | CommandResult> {
  const look = await callControl([socket], { path: DRAIN_STATE, query: { run } }, Left);
  if (look.kind === "failed") {
    return failed(CANNOT, `${name} may get new requests again: ${look.reason}`);
  }
  const { state } = look.reply;
  if (state === "unknown") {
    const reason = "the proxy restarted and does not remember the drain; run drain again";
    return failed(CANNOT, `${name} may get new requests again: ${reason}`);
  }
  if (state === "over")
    return { code: OK, stdout: line(`${name}: the container has stopped or restarted`) };
  return state === "drained" ? look.reply : failed(NOT_WELL, `${name} was undrained meanwhile`);
}

/** Prints the number of requests left when it changes, at most once a second. */
function progress(
  { name, in_flight }: Changed,
  print: (line: string) => void,
): (left: number) => void {
  let [said, saidMs] = [in_flight, performance.now()];
  return (left) => {
    const nowMs = performance.now();
    if (left === 0 || left === said || nowMs - saidMs < LINE_MS) return;
    print(printable(`${name}: ${requests(left)} in flight`));
    [said, saidMs] = [left, nowMs];
  };
}

/** @param sockets as for `drain` */
export async function undrain(
  container: string,
  sockets: readonly string[],
): Promise<CommandResult> {
  const undone = await change(UNDRAIN, container, sockets);
  if (undone.kind === "failed") return failed(CANNOT, undone.reason);
  const { name, is_new } = undone.reply;
  return {
    code: OK,
    stdout: line(`${name}: ${is_new ? "gets new requests again" : "was not drained"}`),
  };
}

function change(
  path: string,
  container: string,
  sockets: readonly string[],
): Promise<ControlReply<Changed>> {
  return callControl(sockets, { method: "POST", path, query: { container } }, Changed);
}

function timeIsUp(name: string, left: number, timeoutMs: number): string {
  const after = timeoutMs === 0 ? "" : ` after ${timeoutMs / 1_000} s`;
  return `${name}: ${requests(left)} still in flight${after}. The container stays drained until it restarts, or until you run lw-inference-proxy undrain ${name}`;
}

function requests(count: number): string {
  return `${count} ${count === 1 ? "request" : "requests"}`;
}

function line(text: string): string {
  return `${printable(text)}\n`;
}
