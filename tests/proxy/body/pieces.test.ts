import { describe, expect, test } from "bun:test";
import { BodyPieces } from "../../../src/proxy/body/pieces.ts";

const KIB = 1024;

function bytes(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

function allOf(pieces: BodyPieces): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let next = pieces.shift(); next !== undefined; next = pieces.shift()) all.push(next.piece);
  return all;
}

describe("BodyPieces", () => {
  test("keeps a large piece as it is, and joins small ones, in order", () => {
    const pieces = new BodyPieces();
    const large = bytes(4 * KIB, 9);
    for (const piece of [bytes(1, 1), bytes(2, 2), large, bytes(1, 3)]) pieces.push(piece);
    const [first, second, third, ...more] = allOf(pieces);
    expect(Buffer.from(first!)).toEqual(Buffer.from([1, 2, 2]));
    expect(second).toBe(large);
    expect(Buffer.from(third!)).toEqual(Buffer.from([3]));
    expect(more).toEqual([]);
  });

  test("reports the memory it takes, and the same amount when it hands over the pieces", () => {
    const pieces = new BodyPieces();
    let taken = 0;
    for (let n = 0; n < 1_000; n += 1) taken += pieces.push(bytes(1 + (n % 300), n % 256));
    taken += pieces.push(bytes(10 * KIB, 1));
    let given = 0;
    for (let next = pieces.shift(); next !== undefined; next = pieces.shift()) given += next.memory;
    expect(given).toBe(taken);
  });

  test("takes little more memory than one-byte pieces have bytes", () => {
    const pieces = new BodyPieces();
    let taken = 0;
    for (let n = 0; n < 100_000; n += 1) taken += pieces.push(bytes(1, 1));
    expect(taken).toBeWithin(100_000, 200_000);
  });

  test("takeAll() returns the remaining bytes as one piece, and leaves nothing", () => {
    const pieces = new BodyPieces();
    for (const value of [1, 2, 3]) pieces.push(bytes(4 * KIB, value));
    expect(pieces.shift()?.piece[0]).toBe(1);
    const rest = pieces.takeAll();
    expect([rest.length, rest[0], rest.at(-1)]).toEqual([8 * KIB, 2, 3]);
    expect([pieces.takeAll().length, pieces.shift()]).toEqual([0, undefined]);
  });

  test("takeAll() does not copy a single piece", () => {
    const pieces = new BodyPieces();
    const only = bytes(8 * KIB, 1);
    pieces.push(only);
    expect(pieces.takeAll()).toBe(only as Uint8Array<ArrayBuffer>);
  });

  test("from() shows the kept bytes from an offset on, and changes nothing", () => {
    const pieces = new BodyPieces();
    const large = bytes(4 * KIB, 9);
    for (const piece of [bytes(2, 1), large, bytes(1, 2)]) pieces.push(piece);
    const whole = Buffer.concat([bytes(2, 1), large, bytes(1, 2)]);
    for (const offset of [0, 1, 2, 3, 4_097, 4_098, 4_099, 5_000]) {
      expect(Buffer.concat([...pieces.from(offset)])).toEqual(whole.subarray(offset));
    }
    expect(Array.from(pieces.from(2))[0]?.buffer).toBe(large.buffer);
    pieces.push(bytes(1, 3));
    expect(allOf(pieces).map(({ length }) => length)).toEqual([2, 4 * KIB, 2]);
  });

  test("from() shows nothing after the first shift()", () => {
    const pieces = new BodyPieces();
    for (const value of [1, 2]) pieces.push(bytes(4 * KIB, value));
    pieces.shift();
    expect([...pieces.from(0)]).toEqual([]);
    pieces.takeAll();
    expect([...pieces.from(0)]).toEqual([]);
  });

  test("clear() forgets all pieces", () => {
    const pieces = new BodyPieces();
    pieces.push(bytes(10, 1));
    pieces.push(bytes(5 * KIB, 1));
    pieces.clear();
    expect(pieces.shift()).toBeUndefined();
  });
});
