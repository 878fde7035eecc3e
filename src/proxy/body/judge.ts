/** Chooses the scanner for a body, and judges its verdict by the Content-Type. Pure. */
import { A_JSON_OBJECT } from "./json-states.ts";
import { boundaryOf, MultipartScanner } from "./multipart-field.ts";
import type { ReadResult } from "./read-result.ts";
import type { Verdict } from "./verdict.ts";

const FORM = /^\s*multipart\/form-data\b/i;

/** @param contentType empty if the request has none */
export function isForm(contentType: string): boolean {
  return FORM.test(contentType);
}

export const OTHER = { kind: "other" } as const;

export const NO_BOUNDARY = { kind: "no boundary" } as const;

export function judge(verdict: Verdict, contentType: string): ReadResult["verdict"] {
  return isOther(verdict, contentType) ? OTHER : verdict;
}

/** @returns undefined if the header names no boundary */
export function formScanner(contentType: string): MultipartScanner | undefined {
  const boundary = boundaryOf(contentType);
  return boundary === undefined ? undefined : new MultipartScanner(boundary);
}

/**
 * Tells whether a body is not a JSON object and does not claim to be one. JSON is accepted with any Content-Type
 * (curl sends it as a form). The Content-Type counts only for a body that is not JSON.
 */
function isOther(verdict: Verdict, contentType: string): boolean {
  const notAnObject = verdict.kind === "invalid" && verdict.expected === A_JSON_OBJECT;
  return notAnObject && contentType !== "" && !/json|x-www-form-urlencoded/i.test(contentType);
}
