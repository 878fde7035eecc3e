/**
 * A client makes a response through one compiled binary, then fetches
 * or continues it through another one on the same engine.
 */
import { describe, expect, test } from "bun:test";
import { post } from "../../support/client/requests.ts";
import type { CompiledProxy } from "../../support/proxy/compiled.ts";
import { type Answer, SharedServers } from "../../support/proxy/side-by-side-servers.ts";

type Body = {
  readonly id?: string;
  /** The number of the server. */
  readonly by?: number;
  readonly error?: { readonly code?: string };
};

/** Acts as a server that stores its responses and shares them with no other server. */
function keeper(by: number): Answer {
  const kept = new Set<string>();
  return ({ method, target, body }) => {
    const { previous_response_id: before } =
      method === "GET" ? {} : JSON.parse(Buffer.from(body).toString());
    const asked = method === "GET" ? target.slice("/v1/responses/".length) : before;
    if (asked !== undefined && !kept.has(asked)) return Response.json({ by }, { status: 404 });
    if (method === "GET") return Response.json({ by });
    const id = `resp_${by}_${kept.size}`;
    kept.add(id);
    return Response.json({ id, by });
  };
}

/** The outcome of a request: `200 by 1`, a server's `404 by 0`, or the proxy's `404 response_not_found`. */
async function outcomeOf(answer: Promise<Response>): Promise<string> {
  const response = await answer;
  const { by, error } = (await response.json()) as Body;
  return `${response.status} ${by === undefined ? error?.code : `by ${by}`}`;
}

function make(proxy: CompiledProxy, model: string, previous?: string): Promise<Response> {
  const body = { model, input: "x", previous_response_id: previous };
  return post(proxy.origin, "/v1/responses", body);
}

function get(proxy: CompiledProxy, id: string): Promise<Response> {
  return fetch(`${proxy.origin}/v1/responses/${id}`, { keepalive: false });
}

/** Makes the server with this number create a response. @returns its id */
async function madeBy(proxy: CompiledProxy, model: string, wanted: number): Promise<string> {
  for (let tries = 0; tries < 10; tries += 1) {
    const { id = "", by } = (await (await make(proxy, model)).json()) as Body;
    if (by === wanted) return id;
  }
  throw new Error(`Server ${wanted} has made none of 10 responses`);
}

describe("a response that was made through the other proxy", () => {
  test("works as it does there if there is only one server", async () => {
    await using shared = await SharedServers.start({ count: 1, answerOf: keeper, labels: {} });
    const [one, two] = shared.side.proxies;
    const id = await madeBy(one, "m", 0);
    expect(await outcomeOf(get(two, id))).toBe("200 by 0");
    expect(await outcomeOf(make(two, "m", id))).toBe("200 by 0");
  });

  test("gets 404 if there are several servers, but continues if the request names the model", async () => {
    const modelOf = (nth: number): string => `m-${nth}`;
    const options = { count: 2, answerOf: keeper, labels: {}, modelOf };
    await using shared = await SharedServers.start(options);
    const [one, two] = shared.side.proxies;
    for (const nth of [0, 1]) {
      const id = await madeBy(one, `m-${nth}`, nth);
      expect(await outcomeOf(get(one, id))).toBe(`200 by ${nth}`);
      expect(await outcomeOf(get(two, id))).toBe("404 response_not_found");
      expect(await outcomeOf(make(two, `m-${nth}`, id))).toBe(`200 by ${nth}`);
    }
  });

  test("is looked up on the newest of several replicas, and continues on any replica", async () => {
    await using shared = await SharedServers.start({ count: 2, answerOf: keeper });
    const [one, two] = shared.side.proxies;
    for (const nth of [0, 1]) {
      const id = await madeBy(one, "m", nth);
      expect(await outcomeOf(get(one, id))).toBe(`200 by ${nth}`);
      expect(await outcomeOf(get(two, id))).toBe(nth === 1 ? "200 by 1" : "404 by 1");
      const onwards = async (proxy: CompiledProxy): Promise<readonly string[]> => {
        const outcomes = new Set<string>();
        for (let n = 0; n < 4; n += 1) outcomes.add(await outcomeOf(make(proxy, "m", id)));
        return [...outcomes].toSorted();
      };
      expect(await onwards(one)).toEqual([`200 by ${nth}`]);
      expect(await onwards(two)).toEqual([`200 by ${nth}`, `404 by ${1 - nth}`]);
    }
  });
});
