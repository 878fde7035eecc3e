/**
 * Parses environment variables, each with its own schema, and finds unknown ones. Knows no variable by name.
 */

import { z } from "zod/mini";
import { nearestWord } from "./edit-distance.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export type Variable = {
  /** As users write it; empty if there is no default. */
  readonly default: string;
  /** The accepted values, in words. */
  readonly expected: string;
  /** Text → value. */
  readonly schema: z.ZodMiniType;
};

type Variables = Readonly<Record<string, Variable>>;

/** Variable name → parsed value. */
type Values<Known extends Variables> = {
  readonly [Name in keyof Known]: z.output<Known[Name]["schema"]>;
};

export type ReadVariables<Known extends Variables> =
  | { readonly kind: "values"; readonly values: Values<Known> }
  | { readonly kind: "wrong"; readonly names: readonly string[] };

/**
 * Reads every known variable. An empty variable counts as not set, as in Docker.
 *
 * @returns the values, or the names of all wrong variables in the order of `variables`
 */
export function readVariables<Known extends Variables>(
  variables: Known,
  env: Environment,
): ReadVariables<Known> {
  const values: Record<string, unknown> = {};
  const names: string[] = [];
  for (const [name, variable] of Object.entries(variables)) {
    const parsed = variable.schema.safeParse(env[name] || variable.default);
    if (parsed.success) values[name] = parsed.data;
    else names.push(name);
  }
  if (names.length > 0) return { kind: "wrong", names };
  return { kind: "values", values: values as Values<Known> }; // the loop above has set every name
}

export type ParseContext = { readonly value: unknown; issues: unknown[] };

/** A schema that parses a text with `parse`. `parse` calls `refuse` for a wrong text. */
export function parsedBy<Value>(parse: (text: string, context: ParseContext) => Value) {
  return z.pipe(z.string(), z.transform(parse));
}

/** Tells zod that the text is wrong. Nothing uses the return value. */
export function refuse(context: ParseContext): never {
  context.issues.push({ code: "custom", input: context.value, message: "wrong" });
  return z.NEVER;
}

/**
 * One line for each variable that begins with `prefix` and is not in `known`: it is mostly a typing error.
 */
export function unknownVariables(
  env: Environment,
  prefix: string,
  known: readonly string[],
): readonly string[] {
  const ours = known.filter((name) => name.startsWith(prefix));
  const withoutPrefix = (name: string): string => name.slice(prefix.length);
  return Object.keys(env)
    .filter((name) => name.startsWith(prefix) && !ours.includes(name))
    .map((name) => {
      const meant = nearestWord(withoutPrefix(name), ours.map(withoutPrefix));
      const advice =
        meant === undefined
          ? `The proxy knows ${ours.join(", ")}.`
          : `Did you mean ${prefix}${meant}?`;
      return `${name} has no effect: unknown variable. ${advice}`;
    });
}
