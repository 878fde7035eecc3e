/** What the kernel tells of a proxy: all its processes, all their threads. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { descriptorsOf, residentMib } from "../support/process/figures.ts";

/** Ticks of /proc/PID/stat a second: fixed in Linux's interface to user space (USER_HZ). */
const TICKS_PER_S = 100;

/** The process and all that descend from it. */
export function processesOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" ").filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => processesOf(Number(child)))];
}

/** User and system time of all threads, also of those that have ended. */
export function cpuSeconds(pids: readonly number[]): number {
  return sum(pids, (pid) => cpuSecondsOf(`/proc/${pid}`));
}

/** User and system time of each thread that there is, by its directory below /proc. */
export function threadSeconds(pids: readonly number[]): ReadonlyMap<string, number> {
  const tasks = pids.flatMap((pid) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}`),
  );
  return new Map(tasks.map((task) => [task, cpuSecondsOf(task)]));
}

function cpuSecondsOf(task: string): number {
  const stat = readFileSync(`${task}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // the name may hold anything
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

/** Pages that several of its processes share are counted in each. */
export function memoryMib(pids: readonly number[]): number {
  return sum(pids, residentMib);
}

export function descriptors(pids: readonly number[]): number {
  return sum(pids, descriptorsOf);
}

/** Starts over with `peakMib`. proc(5), clear_refs. */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The most that was resident since `resetPeak`. */
export function peakMib(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
  });
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0);
}
