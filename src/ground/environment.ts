/** Environment variables → values, by one schema for each. Knows no variable by name and words no error. */
import { z } from "zod/mini";

export type Environment = Readonly<Record<string, string | undefined>>;

export type Variable = {
  /** Written as people write it; empty where there is none. */
  readonly default: string;
  /** What is accepted, in words. */
  readonly expected: string;
  /** Text → value. */
  readonly schema: z.ZodMiniType;
};

type Variables = Readonly<Record<string, Variable>>;

/** The value of each variable, by its name. */
type Values<Known extends Variables> = {
  readonly [Name in keyof Known]: z.output<Known[Name]["schema"]>;
};

export type ReadVariables<Known extends Variables> =
  | { readonly kind: "values"; readonly values: Values<Known> }
  | { readonly kind: "wrong"; readonly names: readonly string[] };

/**
 * Reads every known variable. One that is set to nothing counts as not set, as for Docker itself.
 *
 * @returns the names of all wrong ones, in the order of `variables`, if there are any
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
  return { kind: "values", values: values as Values<Known> }; // every name has got its value above
}

export type ParseContext = { readonly value: unknown; issues: unknown[] };

/** A schema whose values are what `parse` makes of a text, unless it calls `refuse`. */
export function parsedBy<Value>(parse: (text: string, context: ParseContext) => Value) {
  return z.pipe(z.string(), z.transform(parse));
}

/** Tells zod that the text is wrong. What it returns is never used. */
export function refuse(context: ParseContext): never {
  context.issues.push({ code: "custom", input: context.value, message: "wrong" });
  return z.NEVER;
}
