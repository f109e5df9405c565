/** The options of `mail_location`, behind PATH or FOLDERS, separated by colons. They are Dovecot's. */

export interface LocationOptions {
  /** INBOX=; undefined when it is where it always is. */
  readonly inbox: string | undefined;
}

/** About Dovecot's own indexes, which nobody here reads. */
const passedOver = /^(?:(?:INDEX|INDEXPVT|INDEXCACHE|LISTINDEX|VOLATILEDIR|ITERINDEX|ALT)(?:=.*)?|NO-NOSELECT)$/s;

/** What they say, or what is wrong with them. Paths may have variables. */
export function locationOptions(kind: "maildir" | "mbox", root: string, options: readonly string[]): LocationOptions | string {
  let inbox: string | undefined;
  for (const option of options) {
    const path = option.startsWith("INBOX=") ? option.slice("INBOX=".length).replace(/(?<=.)\/+$/, "") : undefined;
    if (passedOver.test(option) || option === (kind === "maildir" ? "LAYOUT=maildir++" : "LAYOUT=fs")) continue;
    if (path !== undefined && kind === "maildir" && path === root.replace(/(?<=.)\/+$/, "")) continue;
    if (path === undefined || path === "" || kind === "maildir") return `option "${option}" is not supported for ${kind}`;
    if (inbox !== undefined) return "INBOX= is there twice";
    inbox = path;
  }
  return { inbox };
}
