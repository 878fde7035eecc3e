/** A handshake as the proxy reports it, without a proxy, and the possible ends of a WebSocket. */
import { Ending } from "../../../src/routing/ending.ts";
import type {
  CallReport,
  RequestReport,
  SocketEnd,
  Telemetry,
} from "../../../src/telemetry/telemetry.ts";

export const NORMAL: SocketEnd = {
  fromClient: { messages: 3, bytes: 900 },
  fromServer: { messages: 40, bytes: 65_536 },
  closeCode: 1000,
};
export const ABRUPT: SocketEnd = { ...NORMAL, closeCode: 1006 };
export const RESET = Object.assign(new Error("10.0.0.1 has closed the connection"), {
  code: "ECONNRESET",
});
const BACKEND = { name: "vllm-1", origin: "http://10.0.0.1:8000", basePath: "/v1" };

type Handshake = {
  readonly report: RequestReport;
  readonly call: CallReport;
  readonly ending: Ending;
};

export function handshake(telemetry: Telemetry, path = "/v1/realtime", model = "m"): Handshake {
  const request = new Request(`http://proxy.test${path}?model=m&key=secret`);
  const report = telemetry.request(request, path);
  report.named(model, true);
  const ending = new Ending();
  return { report, call: report.call({ ...BACKEND, ending }), ending };
}
