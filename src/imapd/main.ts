/** imapd: IMAP for the network. Runs as `login_user`, owns no mail; see connection.ts. */
import { loginProgram } from "../daemon/login-program.ts";
import { serveConnection } from "./connection.ts";

await loginProgram("imap", serveConnection);
