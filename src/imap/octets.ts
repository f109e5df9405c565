/** Character classes of RFC 3501 §9, over all 256 octets. */
import { char, ctl, eightBit, octetClass, union, without } from "../syntax/octets.ts";

const listWildcards = octetClass("%*");
const quotedSpecials = octetClass('"\\');
const respSpecials = octetClass("]");

/** ATOM-CHAR = <any CHAR except atom-specials> */
export const atomChar = without(char, ctl, octetClass("(){ "), listWildcards, quotedSpecials, respSpecials);
/** ASTRING-CHAR = ATOM-CHAR / resp-specials */
export const astringChar = union(atomChar, respSpecials);
/** tag = 1*<any ASTRING-CHAR except "+"> */
export const tagChar = without(astringChar, octetClass("+"));
/** list-char = ATOM-CHAR / list-wildcards / resp-specials */
export const listChar = union(atomChar, listWildcards, respSpecials);
/** QUOTED-CHAR without its escapes. */
export const quotedChar = without(char, octetClass("\r\n"), quotedSpecials);
/** What is taken in a quoted string: 8-bit octets too, as clients send UTF-8 passwords so. Never sent. */
export const quotedCharIn = union(quotedChar, eightBit);
