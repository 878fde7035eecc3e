/**
 * Finds the first member `"id": "…"` in JSON or in server-sent events, in bytes that come in pieces. Looks at each
 * byte once, with pieces of any size. Validates nothing. No I/O.
 */
import { JoinedBytes } from "../ground/joined-bytes.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const KEY = Buffer.from('"id"');
const ID_BYTES_MAX = 256;

type State = "key" | "colon" | "quote" | "id";

export class IdSearch {
  #state: State = "key";
  /** How many bytes of the key the bytes so far end with. */
  #matched = 0;
  readonly #id = new JoinedBytes();

  /** @returns the id as soon as it is complete. Then push no more pieces */
  push(piece: Uint8Array): string | undefined {
    for (const [at, byte] of piece.entries()) {
      if (this.#state === "id" && byte === QUOTE && this.#id.length > 0) {
        return Buffer.from(this.#id.bytes).toString();
      }
      this.#state = this.#next(byte, piece.subarray(at, at + 1));
    }
    return undefined;
  }

  #next(byte: number, itself: Uint8Array): State {
    switch (this.#state) {
      case "key":
        return this.#matchKey(byte);
      case "colon":
        if (isSpace(byte)) return "colon";
        return byte === COLON ? "quote" : this.#matchKey(byte);
      case "quote":
        if (isSpace(byte)) return "quote";
        if (byte !== QUOTE) return this.#matchKey(byte);
        this.#id.clear();
        return "id";
      case "id":
        // An empty text, one with an escape or a very long one is not the id of a response.
        if (byte === QUOTE || byte === BACKSLASH || this.#id.length === ID_BYTES_MAX) return "key";
        this.#id.append(itself);
        return "id";
    }
  }

  #matchKey(byte: number): State {
    if (byte === KEY[this.#matched]) this.#matched += 1;
    else this.#matched = byte === QUOTE ? 1 : 0;
    if (this.#matched < KEY.length) return "key";
    this.#matched = 0;
    return "colon";
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
