/** Networks of a real engine for a test, removed with the block that holds them. */
import { dockerCli, TEST_LABEL } from "./inference-server/image.ts";

let counter = 0;

/** @returns its name */
export async function createNetwork(): Promise<AsyncDisposable & { readonly name: string }> {
  counter += 1;
  const name = `lw-inference-proxy-test-net-${process.pid}-${counter}`;
  await dockerCli("network", "create", "--label", TEST_LABEL, name);
  return {
    name,
    [Symbol.asyncDispose]: async () => {
      await dockerCli("network", "rm", name);
    },
  };
}
