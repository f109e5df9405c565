/** What is wrong with `namespace_prefix`, or undefined. It is UTF-8. */
export function prefixFault(prefix: string, separator: string): string | undefined {
  if (prefix === "") return undefined;
  if (/[\x00-\x1f\x7f%*"]/.test(prefix)) return "has a quote, a control character or a wildcard of LIST";
  if (!prefix.endsWith(separator)) return `does not end with "${separator}", which is namespace_separator`;
  return prefix.slice(0, -1).split(separator).includes("") ? "has an empty level" : undefined;
}
