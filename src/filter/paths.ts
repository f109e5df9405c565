/** Paths in rc files are relative to MAILDIR. */

/** Keeps what stands at the end ("lists/", "mh/."): it tells the kind of folder. */
export function absolute(directory: string, path: string): string {
  if (path.startsWith("/")) return path;
  const plain = path.replace(/^(?:\.\/+)+/, "");
  if (plain === "" || plain === ".") return directory;
  return `${directory.replace(/\/+$/, "")}/${plain}`;
}
