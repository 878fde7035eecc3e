/** Reads the requests that the servers recorded, including removed servers. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Delivery = {
  /** The number of the exchange: see load.ts. */
  readonly number: number;
  readonly model: string | null;
  /** When the request reached the server, ms since the epoch. */
  readonly atMs: number;
  /** Short id of the container. */
  readonly container: string;
};

type Line = { readonly path: string; readonly model: string | null; readonly at: number };

/** @returns the requests of the soak's clients, without the proxy's own requests */
export function readJournals(folder: string): readonly Delivery[] {
  return readdirSync(folder).flatMap((file) => {
    const lines = readFileSync(join(folder, file), "utf8").trim().split("\n");
    return lines.flatMap((line) => {
      const { path, model, at } = JSON.parse(line) as Line;
      const number = /[?&]soak=(\d+)/.exec(path)?.[1];
      if (number === undefined) return [];
      return [{ number: Number(number), model, atMs: at, container: file.replace(".ndjson", "") }];
    });
  });
}
