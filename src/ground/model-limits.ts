/** How many models one server may have, and how long their ids may be, whether a list or a label names them. */

/**
 * The most models that we take of one server. Each becomes an entry of the routing table. The longest real
 * lists have hundreds. Without this limit, a list of 16 MiB blocked everything for 4.5 s (measured).
 */
export const MODELS_MAX = 10_000;

/** The longest id, in bytes. Real ones have about a hundred. */
export const MODEL_ID_BYTES_MAX = 64 * 1024;
