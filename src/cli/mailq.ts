/** mailq(1): what waits in the queue. `--json` prints a line of JSON for each message, as `postqueue -j` does. */
import { Exit, exUsage, runTool, settingsFor } from "./mta.ts";
import { mailq } from "./queue-listing.ts";

await runTool("mailq", async () => {
  let json = false;
  for (const word of process.argv.slice(2)) {
    if (word === "--json" || word === "-j") json = true;
    else if (!/^-[Av]/.test(word)) throw new Exit(exUsage, "usage: mailq [--json]");
  }
  return mailq(settingsFor(undefined), json);
});
