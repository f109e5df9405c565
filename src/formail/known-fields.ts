/** Fields by which the start of a message is told from text that looks like fields: RFC 822, RFC 1036, X.400 gateways (RFC 1327), HTTP, and common use. */
import { lower } from "./field.ts";

const names =
  "Accept Acknowledge-To Allow Alternate-Recipient Anon-Post-To Anon-Send-To App-Message-ID Apparently-Resent-To Apparently-To Approved Article Article-I.D. " +
  "Auto-Forward-Count Auto-Forwarded-From Auto-Submitted Autoforwarded Bcc Cc Comments Content-Description Content-Disposition Content-ID Content-Identifier " +
  "Content-Language Content-Length Content-Return Content-Transfer-Encoding Content-Type Control Conversion Conversion-With-Loss Cost Cutmarks " +
  "DL-Expansion-History Date Default-Options Deferred-Delivery Delivered-To Delivery-Date Derived-From Diagnostic-Code Disclose-Recipients Distribution Encoding " +
  "Encrypt-Key Encrypted End-of-Header Envelope-To Errors-To Expires Expiry-Date Fake-Sender Fcc Final-Recipient Followup-To Forwarded From From-warning Full-Name " +
  "Generate-Delivery-Report Hop-count Importance In-Reply-To Incomplete-Copy Keywords Language Last-Attempt-Date Last-Modified Latent-Time Latest-Delivery-Time " +
  "Lines MIME-Version MR-Received Mail-Copies-To Mail-from Mailing-List Message Message-ID Message-Type NNTP-Posting-Date NNTP-Posting-Host Newsgroups " +
  "Not-Delivered-To Notice-Requested-Upon-Delivery-To Obsoletes Organisation Organization Original-Auto-Forwarded-From Original-Cc Original-Date " +
  "Original-Encoded-Information-Types Original-From Original-Received Original-To Originator Originator-Return-Address PP-Warning Path Post-To Posted " +
  "Posted-Date Posted-To Precedence Prevent-Nondelivery-Report Priority Public Read-Receipt-To Received Received-Date Reference References Relay-Version " +
  "Remote-MTA Replied Reply-By Reply-To Report-Version Request-Remailing-To Requested-Delivery-Method Resent Resent-Bcc Resent-Cc Resent-Date Resent-From " +
  "Resent-Message-ID Resent-Reply-To Resent-Sender Resent-To Return-Path Return-Receipt-Requested Return-Receipt-To Sender Sensitivity Sent-By Server Status " +
  "Subject Submitted-by Summary Supersedes Text Title To Transport-Options URI User-Agent Version Via WWW-Link Xref";

const known = new Set(names.toLowerCase().split(" "));
const longest = Math.max(...[...known].map((name) => name.length));

/** True for the name of `length` octets at `start`: one of the list, or one that starts with "X-" or "Old-". */
export function isKnown(b: Buffer, start: number, length: number): boolean {
  const first = lower(b[start]);
  if (first === 0x78 && b[start + 1] === 0x2d && length > 1) return true;
  if (length > longest && first !== 0x6f) return false;
  const name = b.toString("latin1", start, start + length).toLowerCase();
  return known.has(name) || name.startsWith("old-");
}
