/** A raw request, and the connections of our own load programs: many, opened in groups. */
import { connect, type Socket, type SocketHandler } from "bun";

/** A listener's queue is finite, so connections open in groups. */
const GROUP = 100;

/** @param bodyBytes the length of the body that follows; `body` is its start */
export function rawRequest(path: string, body: string, bodyBytes = body.length): string {
  return `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${bodyBytes}\r\n\r\n${body}`;
}

/** Calls `opened` for each connection as soon as it is open. */
export async function openAll<Data>(
  { port, count, data }: { port: number; count: number; data: (index: number) => Data },
  handler: SocketHandler<Data>,
  opened: (socket: Socket<Data>) => void,
): Promise<void> {
  for (let open = 0; open < count; open += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, count - open) }, (_, index) =>
      connect({ hostname: "127.0.0.1", port, data: data(open + index), socket: handler }),
    );
    for (const socket of await Promise.all(group)) opened(socket);
  }
}
