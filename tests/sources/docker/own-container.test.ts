import { expect, test } from "bun:test";
import { ownContainerId, readOwnContainerId } from "../../../src/sources/docker/own-container.ts";

const ID = "0123456789abcdef".repeat(4);

test.each([
  [
    "Docker",
    `711 698 254:0 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda rw`,
    ID,
  ],
  [
    "Podman",
    `90 80 0:25 /containers/storage/overlay-containers/${ID}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw`,
    ID,
  ],
  ["a host", "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw", undefined],
  [
    "a host with Docker's own mounts",
    `1 2 0:3 / /var/lib/docker/containers/${ID}/mounts/shm rw - tmpfs shm rw`,
    undefined,
  ],
])("ownContainerId() on %s", (_what, line, id) => {
  expect(ownContainerId(`1 2 0:1 / /proc rw - proc proc rw\n${line}\n`)).toBe(id);
});

test("readOwnContainerId() works on this machine", async () => {
  const id = await readOwnContainerId();
  expect(id === undefined || /^[\da-f]{64}$/.test(id)).toBe(true);
  expect(await readOwnContainerId("/no/proc/here")).toBeUndefined();
});
