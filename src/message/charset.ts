/**
 * Charsets of mail, by the names mail has for them. What the Encoding standard knows is left to TextDecoder: windows-125x, ISO 8859, KOI8,
 * GB 18030, Big5, EUC, Shift JIS, ISO-2022-JP (Korean without the rare syllables of code page 949, which ICU does not have). Here are the
 * others that old mail is in, and wrong names for all of them.
 */

/** Never throws: what is not in the charset becomes U+FFFD. */
export type Decode = (octets: Buffer) => string;

/** The upper halves of code pages of DOS, in whose charsets mail was written before 1995. */
const codePages: Readonly<Record<string, string>> = {
  cp437:
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0",
  cp850:
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0",
  cp852:
    "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u00ad˝˛ˇ˘§÷¸°¨˙űŘř■\u00a0",
};

/** Names that TextDecoder does not know, or knows as nothing that can be decoded. */
const aliases: Readonly<Record<string, string>> = {
  "unicode-1-1-utf-8": "utf-8",
  "x-utf-8": "utf-8",
  utf8mb4: "utf-8",
  cp65001: "utf-8",
  "unicode-1-1-utf-7": "utf-7",
  "iso-8859-8-e": "iso-8859-8",
  646: "us-ascii",
  cp932: "shift_jis",
  cp936: "gbk",
  ms936: "gbk",
  cp949: "euc-kr",
  uhc: "euc-kr",
  ks_c_5601: "euc-kr",
  cp950: "big5",
  "iso-2022-jp-1": "iso-2022-jp",
  "iso-2022-jp-2": "iso-2022-jp",
  "iso-2022-jp-3": "iso-2022-jp",
  "iso-2022-jp-ms": "iso-2022-jp",
};

/** ISO 8859 by the number of its Latin alphabet. */
const latin = [undefined, 1, 2, 3, 4, 9, 10, 13, 14, 15, 16] as const;

/** One name for each charset. */
function canonical(charset: string): string {
  const name = charset.toLowerCase().replaceAll(/^[\s"']+|[\s"']+$/g, "");
  const windows = /^(?:cp|ms|win|windows|ansi)[-_]?(125[0-8]|874)$/.exec(name);
  if (windows !== null) return `windows-${windows[1] ?? ""}`;
  const iso = /^(?:iso)?[-_]?8859[-_](\d{1,2})$/.exec(name);
  if (iso !== null) return `iso-8859-${iso[1] ?? ""}`;
  const alphabet = /^(?:iso[-_])?latin[-_]?(\d{1,2})$/.exec(name);
  if (alphabet !== null) return `iso-8859-${latin[Number(alphabet[1])] ?? 1}`;
  const dos = /^(?:cp|ibm|dos|oem)[-_]?(437|850|852)$/.exec(name);
  if (dos !== null) return `cp${dos[1] ?? ""}`;
  return aliases[name] ?? name;
}

const decoders = new Map<string, Decode | undefined>();

/** How text in this charset is read; undefined for a charset nobody knows. */
export function decoderOf(charset: string): Decode | undefined {
  if (decoders.has(charset)) return decoders.get(charset);
  const decode = makeDecoder(canonical(charset));
  // Names come from outside: the memory they take is bounded.
  if (decoders.size < 200 && charset.length < 100) decoders.set(charset, decode);
  return decode;
}

function makeDecoder(name: string): Decode | undefined {
  if (name === "utf-7") return utf7;
  if (name === "utf-16") return utf16;
  if (name === "iso-2022-kr") return shifted("euc-kr", /\x0e([^\x0f\n]*)\x0f?/g);
  if (name === "hz-gb-2312" || name === "hz") return shifted("gbk", /~\{([^\n]*?)(?:~\}|$)/gm);
  const page = codePages[name];
  if (page !== undefined) return (octets) => octets.toString("latin1").replaceAll(/[\x80-\xff]/g, (c) => page.charAt(c.charCodeAt(0) - 0x80));
  try {
    const decoder = new TextDecoder(name);
    return (octets) => decoder.decode(octets);
  } catch {
    return undefined;
  }
}

/**
 * UTF-7, RFC 2152: base64 of UTF-16 between "+" and "-" or the first octet that is not base64; "+-" is "+". 8-bit octets, which it does not
 * have, are read as ISO-8859-1.
 */
const utf7: Decode = (octets) =>
  octets.toString("latin1").replaceAll(/\+([A-Za-z0-9+/]*)-?/g, (_, encoded: string) => {
    if (encoded === "") return "+";
    const units = Buffer.from(encoded, "base64");
    return units.subarray(0, units.length & ~1).swap16().toString("utf16le");
  });

const bigEndian = new TextDecoder("utf-16be");
const littleEndian = new TextDecoder("utf-16le");

/** UTF-16 says by its first character which of its octets come first; big-endian where it does not. RFC 2781 §4.3 */
const utf16: Decode = (octets) => (octets[0] === 0xff && octets[1] === 0xfe ? littleEndian : bigEndian).decode(octets);

/**
 * Charsets that write two octets of 7 bits for a character, between two marks, and US-ASCII elsewhere: ISO-2022-KR (RFC 1557) and
 * HZ-GB-2312 (RFC 1843).
 *
 * @param wide     the charset that the same characters have with 8 bits
 * @param between  text between the marks, its first group without them
 */
function shifted(wide: string, between: RegExp): Decode {
  const decoder = new TextDecoder(wide);
  return (octets) =>
    octets
      .toString("latin1")
      .replaceAll("\x1b$)C", "")
      .replaceAll(between, (_, text: string) => decoder.decode(Uint8Array.from(text, (c) => c.charCodeAt(0) | 0x80)))
      .replaceAll(/~([~\n])/g, (both, c: string) => (wide !== "gbk" ? both : c === "~" ? c : ""));
}
