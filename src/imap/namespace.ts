/**
 * The names of mailboxes that clients have, and those of a store (RFC 2342, RFC 3501 §5.1): a prefix before all names but INBOX, another separator. A
 * store's names are without the prefix and have "/" between their levels. Pure.
 *
 * A level of a store's name may hold the separator of clients, where that is "." (a file `a.b` of mbox): it is `\2e` there, as Dovecot's listescape plugin writes it, so that
 * each name means one mailbox.
 */
import type { Command } from "./command.ts";
import { noName } from "./mailbox-name.ts";

export type Separator = "/" | ".";

export class Namespace {
  /** Ends with the separator; "" for none. */
  readonly prefix: string;
  readonly separator: Separator;

  /** @param prefix ends with the separator (config/namespace.ts) */
  constructor(prefix: string, separator: Separator) {
    this.separator = separator;
    this.prefix = this.#inbox(prefix);
  }

  /** RFC 3501 §5.1: the first level has no case when it is INBOX; the rest has. */
  #inbox(name: string): string {
    if (name.length > 5 && name[5] !== this.separator) return name;
    const first = name.slice(0, 5);
    return first !== "INBOX" && first.toUpperCase() === "INBOX" ? `INBOX${name.slice(5)}` : name;
  }

  /**
   * The store's name; undefined when there can be no mailbox of this name: it is none (`noName`), has not the prefix, or has a level with "/" in it. A separator at the end stays, as
   * "/". Never throws.
   */
  inner(name: string): string | undefined {
    const own = this.#inbox(name);
    if (own === "INBOX") return own;
    if (own === noName) return undefined;
    if (!own.startsWith(this.prefix)) return undefined;
    const rest = own.slice(this.prefix.length);
    if (this.separator === "/") return rest;
    return rest.includes("/") ? undefined : rest.replaceAll(".", "/").replaceAll(/\\(2e|5c)/g, (_, code: string) => (code === "2e" ? "." : "\\"));
  }

  /** The client's name of a store's mailbox. */
  outer(name: string): string {
    if (name === "INBOX") return name;
    if (this.separator === "/") return this.prefix + name;
    return this.prefix + name.replaceAll(/\\(?=2e|5c)/g, "\\5c").replaceAll(".", "\\2e").replaceAll("/", ".");
  }

  /** A pattern of LIST or LSUB, or what is before it, with INBOX as names have it. */
  pattern(text: string): string {
    return this.#inbox(text);
  }

  /** The root of a reference with its separator (RFC 3501 §6.3.8): the prefix, a "#name/", a separator at its beginning; "" for none. */
  rootOf(reference: string): string {
    if (this.prefix !== "" && this.#inbox(reference).startsWith(this.prefix)) return this.prefix;
    if (reference.startsWith(this.separator)) return this.separator;
    const end = reference.startsWith("#") ? reference.indexOf(this.separator) : -1;
    return reference.slice(0, end + 1);
  }

  /** The command with the store's names in place of the client's; undefined when one of them is outside the namespace. Patterns stay as they are. */
  within<C extends Command>(command: C): C | undefined {
    if ("mailbox" in command) {
      const mailbox = this.inner(command.mailbox);
      return mailbox === undefined ? undefined : { ...command, mailbox };
    }
    if (command.name !== "RENAME") return command;
    const from = this.inner(command.from);
    const to = this.inner(command.to);
    return from === undefined || to === undefined ? undefined : { ...command, from, to };
  }
}
