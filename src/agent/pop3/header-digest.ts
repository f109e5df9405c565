/**
 * What Dovecot calls the MD5 of a message's header (`mbox_md5 = apop3d`): of those fields that delivery agents make different. Pure.
 */
import { createHash } from "node:crypto";
import { parseHeader } from "../../message/header.ts";

/**
 * The MD5, hexadecimal, over the values of Date, Message-ID, the first Received, Delivered-To and X-Delivery-ID in their order; Date and
 * Message-ID below a Received do not count. A value is its lines without line ends, less one blank behind the colon.
 */
export function headerDigest(octets: Buffer): string {
  const hash = createHash("md5");
  let received = false;
  for (const { name, valueStart, end } of parseHeader(octets).fields) {
    switch (name.toLowerCase()) {
      case "received":
        if (received) continue;
        received = true;
        break;
      case "date":
      case "message-id":
        if (received) continue;
        break;
      case "delivered-to":
      case "x-delivery-id":
        break;
      default:
        continue;
    }
    hash.update(octets.toString("latin1", valueStart, end).replace(/^[ \t]/, "").replaceAll(/\r?\n/g, ""), "latin1");
  }
  return hash.digest("hex");
}

/** The value of the first X-UIDL field, "" when there is none. */
export function xUidl(octets: Buffer): string {
  const field = parseHeader(octets).fields.find(({ key }) => key === "x-uidl");
  return field === undefined ? "" : octets.toString("latin1", field.valueStart, field.end).replaceAll(/\r?\n/g, "").trim();
}
