import { describe, expect, test } from "bun:test";
import { climbs, hasDotSegment } from "../../src/ground/dot-segments.ts";

describe("climbs()", () => {
  test.each([
    "/v1/..",
    "/v1/../x",
    "/v1/..%2fx",
    "/v1/x%2F..",
    "/v1/%2e%2E/x",
    "/v1/.%2e%2fx",
    "/v1/..\\x",
    "/v1/..%5cx",
    "/v1/%252e%252e/x",
    "/v1/..%252fx",
    "/v1/..%255Cx",
    "/v1/%25%32%65%25%32%65/x",
    "/v1/..;/x",
    "/v1/..;a=b/x",
    "/v1/%2e%2e%3b/x",
  ])("finds `..` in %p", (path) => {
    expect(climbs(path)).toBe(true);
  });

  test.each([
    "/v1/models",
    "/v1/a..b/c",
    "/v1/...",
    "/v1/.../x",
    "/v1/./x",
    "/v1/..x",
    "/v1/x..",
    "/v1/models/org%2Fname..2",
    "/v1/%2e",
    "/v1/%zz",
    "/v1/%",
    "/v1/;../x",
    "/v1/a;..",
  ])("finds no `..` in %p", (path) => {
    expect(climbs(path)).toBe(false);
  });
});

describe("hasDotSegment()", () => {
  test.each(["/v1/.", "/./v1", "/v1/%2e", "/v1/%252E/x", "/v1/.;a", "/v1/%2e%2e/admin", "/../v1"])(
    "finds a dot segment in %p",
    (path) => {
      expect(hasDotSegment(path)).toBe(true);
    },
  );

  test.each(["", "/v1", "/v1.0/x", "/.well-known/x", "/v1/%zz", "/%41/v1"])(
    "finds no dot segment in %p",
    (path) => {
      expect(hasDotSegment(path)).toBe(false);
    },
  );
});
