/** posthorn(8): make, run and look after an instance. */
import yargs from "yargs";
import { describeFault, openLog } from "../daemon/log.ts";
import { ConfigFault, configFile, loadSettings } from "../daemon/settings.ts";
import { CommandFault, exConfig, exSoftware, exUsage } from "./fault.ts";
import { resolve } from "node:path";

const configOption = { config: { type: "string", requiresArg: true, describe: "configuration file", default: configFile() } } as const;

async function main(): Promise<number> {
  let exit = 0;
  await yargs(process.argv.slice(2))
    .scriptName("posthorn")
    .usage("$0 COMMAND\n\nA Unix mail system: SMTP in and out, procmail-language delivery, mbox and Maildir, POP3 and IMAP.")
    .command(
      "init <directory>",
      "write a self-contained instance",
      (y) =>
        y
          .positional("directory", { type: "string", demandOption: true })
          .option("domain", { type: "string", demandOption: true, requiresArg: true, describe: "domain of the users" })
          .option("user", { type: "string", array: true, nargs: 1, describe: "NAME:PASSWORD, a user of this instance only" })
          .option("system", { type: "boolean", default: false, describe: "serve the Unix users of this host (wants root)" })
          .option("set", { type: "string", array: true, nargs: 1, describe: "name=value, a setting" }),
      async (argv) => {
        const { initInstance } = await import("./init.ts");
        const file = await initInstance({
          directory: argv.directory,
          domain: argv.domain,
          users: (argv.user ?? []).map((u) => {
            const [name, password] = pair(u, ":", "--user NAME:PASSWORD");
            return { name, password };
          }),
          system: argv.system,
          set: (argv.set ?? []).map((s) => {
            const [name, value] = pair(s, "=", "--set name=value");
            return { name: name.trim(), value: value.trim() };
          }),
        });
        process.stdout.write(`${file}\n`);
      },
    )
    .command(
      "run",
      "run the whole stack in the foreground until SIGTERM",
      (y) => y.options(configOption),
      async (argv) => {
        const settings = loadSettings(resolve(argv.config));
        const { checkInstance } = await import("./check.ts");
        checkInstance(settings);
        openLog(settings);
        const { supervise } = await import("./supervisor.ts");
        exit = await supervise(settings, () => void process.stdout.write("ready\n"));
      },
    )
    .command(
      "check",
      "report every fault of the configuration; exit 78 if there is one",
      (y) => y.options(configOption),
      async (argv) => {
        const file = resolve(argv.config);
        const { checkInstance } = await import("./check.ts");
        checkInstance(loadSettings(file));
        process.stdout.write(`${file}: no faults\n`);
      },
    )
    .command(
      "config [names..]",
      "print settings, as they are in force or as a commented sample",
      (y) =>
        y
          .options(configOption)
          .positional("names", { type: "string", array: true })
          .option("sample", { type: "boolean", default: false, describe: "every setting with its default and reason, as in etc/posthorn.conf" })
          .option("man", { type: "boolean", default: false, describe: "posthorn.conf(5)" }),
      async (argv) => {
        const { printManual, printSample, printSettings } = await import("./config.ts");
        process.stdout.write(argv.man ? printManual() : argv.sample ? printSample() : printSettings(resolve(argv.config), argv.names ?? []));
      },
    )
    .command(
      "mkcert",
      "make a self-signed certificate where ssl_cert and ssl_key do not exist yet",
      (y) => y.options(configOption),
      async (argv) => {
        const { makeCertificate } = await import("./mkcert.ts");
        process.stdout.write(`${await makeCertificate(loadSettings(resolve(argv.config)))}\n`);
      },
    )
    .command(
      "mailbox <work> <user> [folder]",
      "look at the folders of a user, or mend them",
      (y) =>
        y
          .options(configOption)
          .positional("work", { choices: ["list", "status", "resync"] as const, demandOption: true, describe: "list: names; status: numbers; resync: read everything anew and mend what is wrong" })
          .positional("user", { type: "string", demandOption: true })
          .positional("folder", { type: "string", describe: "only this one; all when left out" })
          .option("json", { type: "boolean", default: false, describe: "a line of JSON for each folder" }),
      async (argv) => {
        const { mailboxCommand } = await import("./mailbox.ts");
        exit = await mailboxCommand(loadSettings(resolve(argv.config)), { work: argv.work, user: argv.user, folder: argv.folder, json: argv.json });
      },
    )
    .command(
      "explain <what> <file> [assignments..]",
      "tell, line by line, what an rc file would do with the mail on standard input; nothing is done",
      (y) =>
        y
          .positional("what", { choices: ["rc"] as const, demandOption: true })
          .positional("file", { type: "string", demandOption: true, describe: "rc file, as procmailrc(5)" })
          .positional("assignments", { type: "string", array: true, describe: "VAR=value, made before the rc file" })
          .option("config", { type: "string", requiresArg: true, describe: "configuration file" })
          .option("user", { type: "string", requiresArg: true, describe: "whose mail it is; the caller when left out" })
          .option("sender", { type: "string", requiresArg: true, describe: "envelope sender, where the mail has no From line" })
          .option("arg", { type: "string", array: true, nargs: 1, describe: "$1, $2, ..." })
          .option("command", { type: "string", array: true, nargs: 1, describe: "PATTERN=STATUS[:TEXT|@FILE]: how commands that contain PATTERN are taken to end, and what they print" })
          .option("global", { type: "boolean", default: true, describe: "the rc file of the host before it; --no-global leaves it out" })
          .option("json", { type: "boolean", default: false, describe: "one JSON object" }),
      async (argv) => {
        const { explainRc } = await import("./explain.ts");
        const { file, assignments = [], user, sender, command = [], arg = [], json, global, config } = argv;
        process.stdout.write(explainRc({ file, assignments, user, sender, commands: command, arguments: arg, json, global, config }));
      },
    )
    .command(
      "lint <what> [files..]",
      "tell known traps in rc files; exit 65 if there is one",
      (y) =>
        y
          .positional("what", { choices: ["rc"] as const, demandOption: true })
          .positional("files", { type: "string", array: true, describe: "rc files, as procmailrc(5)" })
          .option("json", { type: "boolean", default: false, describe: "a line of JSON for each finding" })
          .option("rules", { type: "boolean", default: false, describe: "print the rules" })
          .option("fix", { type: "boolean", default: false, describe: "mend line ends that are CRLF" }),
      async (argv) => {
        const { lintRcs, printRules } = await import("./lint.ts");
        const { files = [], json, fix } = argv;
        if (argv.rules) process.stdout.write(printRules(json));
        else if (files.length === 0) throw new CommandFault("Name an rc file.", exUsage);
        else exit = lintRcs({ files, json, fix });
      },
    )
    .command(
      "quickstart <directory>",
      "make an instance with users alice and bob (once), run it, and say how to use it",
      (y) => y.positional("directory", { type: "string", demandOption: true }),
      async (argv) => {
        const { quickstart } = await import("./quickstart.ts");
        exit = await quickstart(argv.directory);
      },
    )
    .demandCommand(1, "Name a command.")
    .strict()
    .version(false)
    .help()
    .exitProcess(false)
    .fail((text, fault) => {
      throw fault ?? new CommandFault(`${text}\nTry "posthorn --help".`, exUsage);
    })
    .parseAsync();
  return exit;
}

function pair(text: string, separator: string, form: string): [string, string] {
  const at = text.indexOf(separator);
  if (at <= 0) throw new CommandFault(`"${text}" is not of the form ${form}`, exUsage);
  return [text.slice(0, at), text.slice(at + 1)];
}

try {
  process.exitCode = await main();
} catch (fault) {
  const code = fault instanceof CommandFault ? fault.exit : fault instanceof ConfigFault ? exConfig : exSoftware;
  const text = fault instanceof CommandFault || fault instanceof ConfigFault ? fault.message : describeFault(fault, true);
  for (const line of text.split("\n")) process.stderr.write(`posthorn: ${line}\n`);
  process.exit(code);
}
