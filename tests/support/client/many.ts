/** Sends many small requests through the proxy, some of them at the same time. What comes of them does not matter. */

const BODY = JSON.stringify({ model: "m", messages: [{ role: "user", content: "hello" }] });

export async function sendMany(origin: string, count: number, atOnce = 16): Promise<void> {
  let left = count;
  const send = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const response = await fetch(`${origin}/v1/chat/completions`, { method: "POST", body: BODY });
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`Sent a request and got ${response.status}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, send));
}
