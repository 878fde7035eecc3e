/**
 * Limits for the number of models of one server and the length of their ids. They hold for model lists and
 * labels.
 */

/**
 * The most models that the proxy accepts from one server. Each becomes an entry of the routing table. The
 * longest real lists have hundreds. Without this limit, a list of 16 MiB blocked the proxy for 4.5 s
 * (measured).
 */
export const MODELS_MAX = 10_000;

/** The longest id, in bytes. Real ids have about a hundred. */
export const MODEL_ID_BYTES_MAX = 64 * 1024;
