/**
 * Variables in settings, as Dovecot writes them: %u the name as given, %n its part before "@", %d its domain,
 * %h the home directory, %% a percent sign; L or U before the letter changes case ("%Lu"). Pure.
 */

export class VariableFault extends Error {}

/** Values by letter; a letter that is missing may not be used. */
export type Variables = Readonly<Record<"u" | "n" | "d", string>> & { readonly h?: string | undefined };

/** The variables of a name: "alice@example.org" has %n alice and %d example.org; a plain name has an empty %d. */
export function nameVariables(name: string): { readonly u: string; readonly n: string; readonly d: string } {
  const at = name.lastIndexOf("@");
  return at < 0 ? { u: name, n: name, d: "" } : { u: name, n: name.slice(0, at), d: name.slice(at + 1) };
}

/** Throws VariableFault on a letter without value. */
export function expandVariables(template: string, values: Variables): string {
  return template.replace(/%([LU]?)(.?)/gs, (whole, change: string, letter: string) => {
    if (letter === "%" && change === "") return "%";
    const value = letter === "u" || letter === "n" || letter === "d" || letter === "h" ? values[letter] : undefined;
    if (value === undefined) throw new VariableFault(`"${whole}" in "${template}" is not a variable`);
    return change === "L" ? value.toLowerCase() : change === "U" ? value.toUpperCase() : value;
  });
}
