import { REFUSALS } from "../support/websocket/cases/refusals.ts";
import { compareHandshakes } from "../support/websocket/compare-handshakes.ts";

compareHandshakes("refusals", REFUSALS);
