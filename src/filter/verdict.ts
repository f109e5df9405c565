/** How a run of rules ended. */
export type Verdict = (
  | { readonly kind: "delivered"; /** LASTFOLDER */ readonly folder: string }
  /** HOST did not match: procmailrc(5) lets the mail disappear. */
  | { readonly kind: "discarded" }
  /** Nothing took it, behind DELIVERED=yes: the sender is not told. */
  | { readonly kind: "lost" }
  /** Neither DEFAULT nor ORGMAIL took it, or a lock of the rc file is kept by somebody. */
  | { readonly kind: "undelivered"; readonly why: string }
) & { /** What EXITCODE or TRAP says instead, 1 to 255. */ readonly exit: number | undefined };
