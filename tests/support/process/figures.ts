/**
 * The kernel's figures about a running process: memory, descriptors, CPU time. For its memory's content see
 * memory.ts.
 */
import { readdirSync, readFileSync } from "node:fs";

/** Resident memory in MiB. */
export function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Reads a process's resident memory every 50 ms. `stop()` returns the maximum in MiB. */
export function watchResident(pid: number): { readonly stop: () => number } {
  let most = residentMib(pid);
  const timer = setInterval(() => {
    most = Math.max(most, residentMib(pid));
  }, 50);
  return {
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}

/** CPU time of the process so far in ms, in user and kernel mode. Source: proc(5), /proc/<pid>/stat. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** USER_HZ is 100 on every Linux that Bun runs on. */
const TICK_MS = 10;
