/** Serves the page as the proxy does, and answers `/status` as the test wants. */

import { STATUS } from "../../../src/ground/paths.ts";
import { pageResponse } from "../../../src/proxy/own/page.ts";

export type Asked = { readonly ifNoneMatch: string | null; readonly atMs: number };

export class ScriptedProxy {
  /** The answer to `/status`: a value, sent as JSON with an ETag, or a complete answer that the test makes. */
  status: unknown;
  answer: ((request: Request) => Response | Promise<Response>) | undefined;
  /** Every request for `/status`. */
  readonly asked: Asked[] = [];
  /** Every other request. */
  readonly others: string[] = [];
  /** The largest number of open requests for `/status` at one moment, without those that the page gave up. */
  openMost = 0;
  readonly #open = new Set<Request>();
  readonly #port: number;
  #server: Bun.Server<undefined> | undefined;

  constructor(status: unknown) {
    this.status = status;
    this.#server = this.#serve(0);
    this.#port = this.#server.port ?? 0;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Stops listening, as when the proxy's process ends. */
  async stop(): Promise<void> {
    await this.#server?.stop(true);
    this.#server = undefined;
  }

  startAgain(): void {
    this.#server = this.#serve(this.#port);
  }

  [Symbol.dispose](): void {
    void this.#server?.stop(true);
  }

  #serve(port: number): Bun.Server<undefined> {
    return Bun.serve({ port, idleTimeout: 0, fetch: (request) => this.#answer(request) });
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/") return pageResponse();
    if (pathname !== STATUS) {
      this.others.push(pathname);
      return new Response("not found", { status: 404 });
    }
    const ifNoneMatch = request.headers.get("if-none-match");
    this.asked.push({ ifNoneMatch, atMs: performance.now() });
    this.#open.add(request);
    request.signal.addEventListener("abort", () => this.#open.delete(request));
    this.openMost = Math.max(this.#open.size, this.openMost);
    try {
      return this.answer === undefined
        ? this.#statusAnswer(ifNoneMatch)
        : await this.answer(request);
    } finally {
      this.#open.delete(request);
    }
  }

  #statusAnswer(ifNoneMatch: string | null): Response {
    const body = JSON.stringify(this.status);
    const etag = `W/"${Bun.hash(body).toString(16)}"`;
    if (ifNoneMatch === etag) return new Response(null, { status: 304, headers: { etag } });
    return new Response(body, { headers: { "content-type": "application/json", etag } });
  }
}
