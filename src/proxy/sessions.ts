/** One pool of connections a backend, so that a backend's pool can be emptied when it goes. */
import type { Backend } from "../routing/backend.ts";

const sessions = new WeakMap<Backend, Bun.FetchSession>();

export function sessionOf(backend: Backend): Bun.FetchSession {
  const known = sessions.get(backend);
  if (known !== undefined) return known;
  const session = new Bun.FetchSession();
  sessions.set(backend, session);
  // Addresses are reused at once: nothing of a pool may outlive its container.
  const close = (): void => session.close();
  backend.left.addEventListener("abort", close);
  backend.idle.then(close, close);
  return session;
}
