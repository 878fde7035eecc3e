import { HANDSHAKES } from "../support/websocket/cases/handshakes.ts";
import { compareHandshakes } from "../support/websocket/compare-handshakes.ts";

compareHandshakes("handshakes", HANDSHAKES);
