import { describe, expect, test } from "bun:test";
import { readLabels } from "../../src/sources/labels.ts";

const ENABLED = { "inference.enable": "true" };

describe("readLabels()", () => {
  test("defaults: port 8000, base path /v1, no network", () => {
    expect(readLabels(ENABLED)).toEqual({
      kind: "enabled",
      settings: { port: 8000, basePath: "/v1", network: undefined },
    });
  });

  test("enable=false is disabled", () => {
    expect(readLabels({ "inference.enable": "false" }).kind).toBe("disabled");
  });

  test("a label of ours without inference.enable: the reason says what to write", () => {
    expect(readLabels({ "inference.port": "1" })).toEqual({
      kind: "wrong",
      reason: "there is no label inference.enable; write inference.enable=true to have it routed",
    });
  });

  test.each(["yes", "1", "True", "TRUE", "on", "", " true"])(
    "enable=%p is wrong, and the reason says what to write",
    (value) => {
      const read = readLabels({ "inference.enable": value });
      expect(read).toEqual({
        kind: "wrong",
        reason: `label inference.enable is ${JSON.stringify(value)}: write "true" to have it routed`,
      });
    },
  );

  test.each([
    ["/v1", "/v1"],
    ["v1", "/v1"],
    ["/api/v1/", "/api/v1"],
    ["/", ""],
    ["", ""],
    ["//v1//", "/v1"],
    ["/v1/a..b", "/v1/a..b"],
    ["/v1/...", "/v1/..."],
    ["/a%2Fb/v1", "/a%2Fb/v1"],
    ["/v1/;x=..", "/v1/;x=.."],
  ])("base path %p is %p", (value, basePath) => {
    expect(readLabels({ ...ENABLED, "inference.api.base_path": value })).toMatchObject({
      settings: { basePath },
    });
  });

  test.each([
    ["inference.port", "0"],
    ["inference.port", "65536"],
    ["inference.port", "80a"],
    ["inference.port", ""],
    ["inference.port", "-1"],
    ["inference.api.base_path", "/v1?x=1"],
    ["inference.api.base_path", "/v1#x"],
    ["inference.api.base_path", "/v1/..%20/admin"],
    ["inference.api.base_path", "/v1/..%09/admin"],
    ["inference.api.base_path", "/v1/..%00/admin"],
    ["inference.api.base_path", "/v1/%25252e%25252e/admin"],
    ["inference.api.base_path", "/v1/%c0%ae%c0%ae/admin"],
    ["inference.api.base_path", "/v1/%zz"],
    ["inference.api.base_path", "/a b"],
    ["inference.api.base_path", "/v1/../admin"],
    ["inference.api.base_path", "/v1/./admin"],
    ["inference.api.base_path", ".."],
    ...[
      ...["%2e%2e", "%2E%2e", ".%2e", "%2e.", "%2e", "%252e%252e", "%252e.", "..;", "..;x=1", ".;"],
      ...[
        "%2e%2e;x",
        "..%3b",
        "%2f..",
        "x%2f..%2fy",
        "%5c..",
        "%255c..%255c",
        "%2f%2e%2e",
        "..%2f",
      ],
      ...["x%252f..", "..%5Cx"],
    ].flatMap((hidden): [string, string][] => [
      ["inference.api.base_path", `/v1/${hidden}/admin`],
      ["inference.api.base_path", `/v1/${hidden}`],
    ]),
  ])("%s=%p is wrong, and the reason names both", (label, value) => {
    const read = readLabels({ ...ENABLED, [label]: value });
    expect(read).toMatchObject({
      kind: "wrong",
      reason: expect.stringContaining(`${label} is ${JSON.stringify(value)}`),
    });
  });

  test.each(["1", "65535", "8080"])("port %s is taken", (port) => {
    expect(readLabels({ ...ENABLED, "inference.port": port })).toMatchObject({
      settings: { port: Number(port) },
    });
  });

  test("a network is taken by name", () => {
    expect(readLabels({ ...ENABLED, "inference.network": "ai" })).toMatchObject({
      settings: { network: "ai" },
    });
  });
});
