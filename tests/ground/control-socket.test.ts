import { expect, test } from "bun:test";
import { controlSocket, controlSockets } from "../../src/ground/control-socket.ts";

const SHARED = { directory: "/dev/shm", port: 8080, networkNamespace: 4_026_531_840 };
const OWN = { ...SHARED, directory: "/run/lw-inference-proxy" };

test("controlSocket() has the port in its name", () => {
  expect(controlSocket(OWN)).toBe("/run/lw-inference-proxy/lw-inference-proxy-8080.sock");
});

test("two proxies in different networks that share /dev/shm and the port have different sockets", () => {
  expect(controlSocket(SHARED)).toBe("/dev/shm/lw-inference-proxy-8080-4026531840.sock");
  expect(controlSocket({ ...SHARED, networkNamespace: 4_026_532_210 })).toBe(
    "/dev/shm/lw-inference-proxy-8080-4026532210.sock",
  );
  expect(controlSocket({ ...SHARED, networkNamespace: undefined })).toBe(
    "/dev/shm/lw-inference-proxy-8080.sock",
  );
});

test("a command looks in /dev/shm first, then in the systemd directory, unless a directory is set", () => {
  expect(controlSockets(SHARED)).toEqual([controlSocket(SHARED), controlSocket(OWN)]);
  expect(controlSockets({ ...SHARED, directory: "/run/x" })).toEqual([
    "/run/x/lw-inference-proxy-8080.sock",
  ]);
});
