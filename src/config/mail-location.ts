/** The options of `mail_location`, behind PATH or FOLDERS, separated by colons. They are Dovecot's. */

/** Paths may have variables. */
export interface LocationOptions {
  /** INBOX=; undefined when it is where it always is. */
  readonly inbox: string | undefined;
  /** CONTROL=: where uidlists, keywords and subscriptions are; undefined when they are beside the mail. */
  readonly control: string | undefined;
  /** Maildir, LAYOUT=fs: folders are directories in each other. */
  readonly nested: boolean;
  /** DIRNAME=: the directory in each folder's that is the Maildir; "" for none. */
  readonly dirname: string;
}

/** About Dovecot's own indexes, which nobody here reads. */
const passedOver = /^(?:(?:INDEX|INDEXPVT|INDEXCACHE|LISTINDEX|VOLATILEDIR|ITERINDEX|ALT)(?:=.*)?|NO-NOSELECT)$/s;

/** Those that change where mail is, by kind. */
const known = { maildir: ["INBOX", "CONTROL", "LAYOUT", "DIRNAME"], mbox: ["INBOX", "LAYOUT"] };
const layouts = { maildir: ["maildir++", "fs"], mbox: ["fs"] };

/** What they say, or what is wrong with them. */
export function locationOptions(kind: "maildir" | "mbox", root: string, options: readonly string[]): LocationOptions | string {
  const found = new Map<string, string>();
  for (const option of options) {
    if (passedOver.test(option)) continue;
    const [, name = "", value = ""] = /^([^=]+)=(.+)$/s.exec(option) ?? [];
    if (!known[kind].includes(name) || (name === "LAYOUT" && !layouts[kind].includes(value))) return `option "${option}" is not supported for ${kind}`;
    if (found.has(name)) return `${name}= is there twice`;
    found.set(name, value);
  }
  const nested = kind === "maildir" && found.get("LAYOUT") === "fs";
  const dirname = found.get("DIRNAME") ?? "";
  if (dirname !== "" && !nested) return "DIRNAME= is for LAYOUT=fs";
  if (/[/%~]|^\.{1,2}$|^(?:cur|new|tmp)$/.test(dirname)) return `DIRNAME=${dirname} is not the name of a directory of its own`;
  const inbox = directory(found.get("INBOX"));
  const control = directory(found.get("CONTROL"));
  return { inbox: kind === "maildir" && inbox === directory(root) && dirname === "" ? undefined : inbox, control: control === directory(root) ? undefined : control, nested, dirname };
}

const directory = (path: string | undefined): string | undefined => path?.replace(/(?<=.)\/+$/, "");
