import { describe, expect, test } from "bun:test";
import { loadConfig, loadListenAddress } from "../src/config.ts";

const PORT = "expected a port from 1 to 65535";
const HOST = "expected an IP address, like 127.0.0.1 or ::1";

describe("loadListenAddress()", () => {
  test.each<[env: Record<string, string>, host: string | undefined, port: number]>([
    [{}, undefined, 8080],
    [{ PROXY_PORT: "", PROXY_HOST: "" }, undefined, 8080],
    [{ PROXY_PORT: "9000", LOG_LEVEL: "loud" }, undefined, 9000],
    [{ PROXY_HOST: "::1", PROXY_USER: "x" }, "::1", 8080],
  ])("reads %p and ignores other variables", (env, host, port) => {
    const address = { host, port };
    const runtimeDirectory = "/dev/shm";
    expect(loadListenAddress(env)).toEqual({ kind: "address", address, runtimeDirectory });
  });

  test.each([
    ["/run/a", "/run/a"],
    ["/run/a:/run/b", "/run/a"],
    ["", "/dev/shm"],
    [":/run/b", "/dev/shm"],
  ])("reads RUNTIME_DIRECTORY=%s as %s, like loadConfig()", (value, runtimeDirectory) => {
    const env = { RUNTIME_DIRECTORY: value };
    expect(loadListenAddress(env)).toMatchObject({ runtimeDirectory });
    expect(loadConfig(env)).toMatchObject({ config: { runtimeDirectory } });
  });

  test("says for each wrong variable what is accepted", () => {
    expect(loadListenAddress({ PROXY_PORT: "http", PROXY_HOST: "x", LOG_LEVEL: "loud" })).toEqual({
      kind: "wrong",
      errors: [`PROXY_PORT is "http": ${PORT}`, `PROXY_HOST is "x": ${HOST}`],
    });
  });
});
