/** Sends many small requests through the proxy, some at the same time. Each must get 200. */

const BODY = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] });

export async function sendMany(origin: string, count: number, atOnce = 16): Promise<void> {
  let left = count;
  const send = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(`${origin}/v1/chat/completions`, { method: "POST", body: BODY });
      await response.arrayBuffer();
      if (response.status !== 200)
        throw new Error(`A request got ${response.status} instead of 200`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, send));
}
