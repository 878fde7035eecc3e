/** What the kernel reports about a proxy: all its processes and all their threads. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { descriptorsOf, residentMib } from "../support/process/figures.ts";

/** Ticks of /proc/PID/stat a second: fixed in Linux's interface to user space (USER_HZ). */
const TICKS_PER_S = 100;

/** The process and all its descendants. */
export function processesOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => processesOf(Number(child)))];
}

/** User and system time of all threads, including those that have ended. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => cpuSecondsOf(`/proc/${pid}`));
}

/** User and system time of each live thread, by its directory below /proc. */
export function threadSeconds(pids: readonly number[]): ReadonlyMap<string, number> {
  const tasks = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`),
  );
  return new Map(tasks.map((task) => [task, cpuSecondsOf(task)]));
}

function cpuSecondsOf(task: string): number {
  const stat = readFileSync(`${task}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name may contain anything
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** Counts pages that several processes share in each of them. */
export function memoryMib(pids: readonly number[]): number {
  return sum(pids, residentMib);
}

export function descriptors(pids: readonly number[]): number {
  return sum(pids, descriptorsOf);
}

/** Resets `peakMib`. proc(5), clear_refs. */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The most resident memory since `resetPeak`. */
export function peakMib(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  });
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
