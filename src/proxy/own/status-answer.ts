/** The answer to `GET /status`. What it shows is put together elsewhere. */
import { printable } from "../../ground/printable.ts";

/** Made printable, since people read it with curl. It stays the same JSON. */
export function statusResponse(_request: Request, status: unknown): Response {
  const headers = { "content-type": "application/json;charset=utf-8" };
  return new Response(printable(JSON.stringify(status)), { headers });
}
