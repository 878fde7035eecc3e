/** Runs code as another user, in a child process: a process that has changed its user cannot change back. */

/** A user id that no account has, in no group. */
const UID = 65_532;

/**
 * Opens the event stream of the engine at this socket, as a user in no other group than `gid`.
 *
 * @returns the error, in the words of src/engine/
 */
export async function failureAsUser(socketPath: string, gid: number = UID): Promise<string> {
  const child = Bun.spawn([process.execPath, import.meta.path, socketPath, String(gid)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0)
    throw new Error(`Cannot ask the engine as another user: ${stderr}`);
  return stdout;
}

if (import.meta.main) {
  const [path = "", gid = ""] = process.argv.slice(2);
  // Loaded before the change of user: that user may have no access to the sources.
  const { Engine } = await import("../../../src/engine/engine.ts");
  const { isLabelled } = await import("../../../src/sources/labels.ts");
  process.setgroups?.([]);
  process.setgid?.(Number(gid));
  process.setuid?.(UID);
  const engine = new Engine({ kind: "unix", path });
  process.stdout.write(
    await engine.list(isLabelled).then(
      () => "no failure",
      ({ message }) => message,
    ),
  );
}
