/**
 * The four words that procmail replaces in a regular expression before it is read, with their
 * texts (procmailrc(5), MISCELLANEOUS). Other programs' users have written recipes against these exact texts, so they
 * are data, octet for octet.
 */

const destination = "(^((Original-)?(Resent-)?(To|Cc|Bcc)|(X-Envelope|Apparently(-Resent)?)-To)";

const daemon =
  "(^(Mailing-List:|Precedence:.*(junk|bulk|list)|To: Multiple recipients of |(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )" +
  "([^>]*[^(.%@a-z0-9])?(Post(ma?(st(e?r)?|n)|office)|(send)?Mail(er)?|daemon|m(mdf|ajordomo)|n?uucp|LIST(SERV|proc)|NETSERV|" +
  "o(wner|ps)|r(e(quest|sponse)|oot)|b(ounce|bs\\.smtp)|echo|mirror|s(erv(ices?|er)|mtp(error)?|ystem)|" +
  "A(dmin(istrator)?|MMGR|utoanswer))(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$)))";

const mailer =
  "(^(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?(Post(ma(st(er)?|n)|office)|(send)?Mail(er)?|" +
  "daemon|mmdf|n?uucp|ops|r(esponse|oot)|(bbs\\.)?smtp(error)?|s(erv(ices?|er)|ystem)|A(dmin(istrator)?|MMGR))" +
  "(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$))";

/** In the order procmail replaces them: "^TO_" must go before "^TO", which is its beginning. */
const macros: readonly (readonly [string, string])[] = [
  ["^FROM_DAEMON", daemon],
  ["^TO_", `${destination}:(.*[^-a-zA-Z0-9_.])?)`],
  ["^TO", `${destination}:(.*[^a-zA-Z])?)`],
  ["^FROM_MAILER", mailer],
];

/**
 * Replaces the macros from left to right. One with a backslash before it stays, and so do all of its name behind it, as in procmail. `ignoreCase` is true when "^FROM_DAEMON" was
 * there: it makes the whole condition ignore case even under the flag D.
 */
export function expandMacros(pattern: string): { readonly pattern: string; readonly ignoreCase: boolean } {
  let ignoreCase = false;
  for (const [word, text] of macros) {
    let at = pattern.indexOf(word);
    while (at >= 0 && pattern[at - 1] !== "\\") {
      if (word === "^FROM_DAEMON") ignoreCase = true;
      pattern = pattern.slice(0, at) + text + pattern.slice(at + word.length);
      at = pattern.indexOf(word, at + text.length);
    }
  }
  return { pattern, ignoreCase };
}
