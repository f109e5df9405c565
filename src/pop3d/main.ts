/** pop3d: POP3 for the network. Runs as `login_user`, owns no mail; see connection.ts. */
import { loginProgram } from "../daemon/login-program.ts";
import { serveConnection } from "./connection.ts";

await loginProgram("pop3", serveConnection);
