/** Makes other recordings from one: with fewer tasks, or with addresses that are used again. */
import type { SwarmTask } from "../../../../src/engine/swarm.ts";
import { isFinal, type Shown, type SwarmRecording } from "./recording.ts";

/** Only with the tasks of one slot: then no other task helps while one is replaced. */
export function ofOneSlot(recording: SwarmRecording, slot: number): SwarmRecording {
  const truths = new Map([...recording.truths].filter(([, truth]) => truth.slot === slot));
  return {
    ...recording,
    name: `${recording.name}, slot ${slot}`,
    truths,
    tasks: mapTasks(recording.tasks, (task) => (task.slot === slot ? [task] : [])),
    nodeEvents: recording.nodeEvents.filter(({ taskId }) => truths.has(taskId)),
    names: recording.names?.map(({ taskIds, ...rest }) => ({
      ...rest,
      taskIds: taskIds?.filter((id) => truths.has(id)),
    })),
  };
}

export function slotsOf({ truths }: SwarmRecording): readonly number[] {
  return [...new Set([...truths.values()].map(({ slot }) => slot))].sort();
}

/**
 * Each new task gets the address of the task that ended last before it, as after a restart of the manager.
 * The old task is still listed.
 */
export function withUsedAddresses(recording: SwarmRecording): SwarmRecording {
  const addresses = usedAddresses(recording.tasks);
  return {
    ...recording,
    name: `${recording.name}, addresses used again`,
    tasks: mapTasks(recording.tasks, (task) => [
      {
        ...task,
        networks: task.networks.map((network) => ({
          ...network,
          addresses: [addresses.get(task.id) ?? ""],
        })),
      },
    ]),
  };
}

/** An address is free again when its task is shown as ended, or is no longer shown. */
function usedAddresses(shown: Shown<readonly SwarmTask[]>): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>();
  const owners = new Map<string, string>();
  for (const { value = [] } of shown) {
    const living = new Set(value.filter((task) => !isFinal(task)).map(({ id }) => id));
    for (const { id, networks } of value) {
      if (addresses.has(id)) continue;
      const free = [...owners].findLast(([, owner]) => !living.has(owner));
      const address = free?.[0] ?? networks[0]?.addresses[0] ?? "";
      addresses.set(id, address);
      owners.delete(address);
      owners.set(address, id);
    }
  }
  return addresses;
}

function mapTasks(
  shown: Shown<readonly SwarmTask[]>,
  map: (task: SwarmTask) => readonly SwarmTask[],
): Shown<readonly SwarmTask[]> {
  return shown.map(({ atMs, value }) => ({ atMs, value: value?.flatMap(map) }));
}
