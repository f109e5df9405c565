/** The language of pop3_uidl_format, which is Dovecot's: `%`, width, modifiers, letter. What they mean is said in agent/pop3/uidl.ts. */
export type UidlLetter = "u" | "v" | "f" | "g" | "m";

/** Groups: zero, offset, width, modifiers, letter; none for "%%". */
export const uidlVariable = /%(?:%|(0?)(?:(\d{1,2})\.)?(\d{0,2})([XMLUR]*)([uvfgm]))/g;

/** What is wrong with a format, or undefined: something in it must differ from message to message. */
export function uidlFormatFault(format: string): string | undefined {
  const rest = format.replaceAll(uidlVariable, "");
  if (rest.includes("%")) return `"${rest.slice(rest.indexOf("%"), rest.indexOf("%") + 4)}" is not %u, %v, %f, %g or %m`;
  return (["u", "f", "g", "m"] as const).some((letter) => usesLetter(format, letter)) ? undefined : "needs %u, %f, %g or %m: unique-ids would be equal";
}

export function usesLetter(format: string, letter: UidlLetter): boolean {
  return [...format.matchAll(uidlVariable)].some((m) => m[5] === letter);
}
