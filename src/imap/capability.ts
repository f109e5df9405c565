/** What we announce (RFC 3501 §7.2.1). Only what works. */

/** Before login. STARTTLS and AUTH= depend on the connection. */
export const capabilitiesBeforeLogin = (tls: "offered" | "on" | "off", mechanisms: readonly string[]): string =>
  [
    "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE",
    ...(tls === "offered" ? ["STARTTLS"] : []),
    ...(mechanisms.length === 0 ? ["LOGINDISABLED"] : mechanisms.map((m) => `AUTH=${m.toUpperCase()}`)),
  ].join(" ");

/** After login. */
export const capabilities = "IMAP4rev1 SASL-IR LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE SPECIAL-USE ESEARCH ESORT WITHIN I18NLEVEL=1 SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES THREAD=REFS";
