/** Command lines of procmail(1), and what they find. */

export interface Case {
  readonly args: readonly string[];
  /** Of ~/.procmailrc; none when left out. */
  readonly rc?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly mail?: string;
  /** Who runs it; else the user. */
  readonly as?: "root";
  /** The system mailbox before: mode, or what else lies there; else an empty file 0600 of the user's. */
  readonly spool?: "none" | "link" | "linked" | "directory" | "foreign" | number;
  readonly rcMode?: number;
  /** Below the home, where it is started. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const plain = "From bob@example.net Sat Nov 21 05:41:33 2026\nFrom: bob@example.net\nSubject: hello\n\nbody\n";
const bare = "From: bob@example.net\nSubject: hello\n\nbody\n";
const show = ':0i\n| (pwd; env | grep -v "^_="; echo "$_ $1 $2 $#") > $HOME/shown\n';
const box = "DEFAULT=$HOME/box";

export const cases: readonly Case[] = [
  // Options.
  ...["-x", "-xv", "-Y", "-y", "-o", "-t", "-p", "-tpoYy", "-f", "-r", "-a", "-", "--", "-m", "-m=x", "-mz", "-z"].map((word) => ({ args: [word] })),
  { args: ["--", "-m"] },
  { args: ["-p", "-d", "USER"] },
  { args: ["-m", "-d", "USER"] },
  { args: ["-a", "one", "-m", "/dev/null", box] },
  { args: ["-t", "-m", "/dev/null"] },
  // Senders.
  ...[["-f", "carl"], ["-fcarl"], ["-r", "carl"], ["-f", "-"], ["-f", ""], ["-f", "carl x"], ["-o"], ["-o", "-f", "carl"], ["-of", "carl"], ["-Yf", "carl"]].flatMap((args) => [plain, bare].map((mail) => ({ args: [...args, box], mail }))),
  ...["", "\n", "\n\nb\n", "From x", "x", "Subject: y", "Subject: y\n\nb", "Subject: y\n\nb\n\n"].map((mail) => ({ args: [box], mail })),
  ...["3", "  300", "", " ", "0"].flatMap((n) => [[], ["-Y"]].map((more) => ({ args: [...more, box], mail: `Content-Length:${n}\nSubject: y\n\nFrom a\nFrom b\n` }))),
  // Arguments.
  { args: ["-a", "one", "-atwo"], rc: show },
  { args: [], rc: show },
  { args: ["-p"], rc: show, env: { FOO: "bar", HOME: "/x", PATH: "/usr/bin:/bin", MAILDIR: "/y", LD_PRELOAD: "", ENV: "z" } },
  { args: ["-m", "rc", "one", "two=2"], files: { rc: show } },
  { args: ["-m", "./rc", "one"], files: { rc: show } },
  { args: ["-m", "A=b", "B=$A c", "HOME_RC", "one"], files: { rc: show } },
  { args: ["./rc", "one=1"], files: { rc: show } },
  // Where names begin: the directory it is started in, or the home.
  ...[["-m", "rc"], ["-m", "./rc"], ["./rc"], ["HOME_RC"], ["-m", "HOME_RC"], ["LOGFILE=log", "./rc"]].map((args) => ({ args, cwd: "sub", files: { rc: ":0c\nbox\n:0w\n| pwd > $HOME/shown; cat > /dev/null\n", "sub/rc": ":0c\nbox\n:0w\n| pwd > $HOME/shown; cat > /dev/null\n" } })),
  { args: ["LOGFILE=log", "DEFAULT=box", "/dev/null"], cwd: "sub", files: { "sub/rc": "" } },
  { args: ["-m", "LOGFILE=log", "DEFAULT=box", "/dev/null"], cwd: "sub", files: { "sub/rc": "" } },
  { args: ["rc", "A='x  y'", 'B="$A"', "C=`echo hi`", "D=one two", "E=#x"], files: { rc: show } },
  { args: ["HOME_RC"], files: { rc: show } },
  { args: ["no-such-rc", box] },
  { args: ["no-such-rc", "none-again", box] },
  { args: ["no-such-rc", "rc", box], files: { rc: ":0\nfound\n" } },
  { args: ["-m", "no-such-rc", box] },
  { args: ["-m", box, "no-such-rc"] },
  { args: ["-m", "/etc/procmailrcs/no-such", box] },
  { args: ["-m", box, "/etc/procmailrcs/no-such"] },
  { args: ["/dev/null", box] },
  { args: ["rc", box], files: { rc: "HOST=other\n:0\nno\n" } },
  { args: ["rc", "rc2", box], files: { rc: "HOST=other\n:0\nno\n", rc2: ":0\nyes\n" } },
  { args: ["rc", "none", box], files: { rc: "HOST=other\n:0\nno\n" } },
  { args: ["rc", "/dev/null", box], files: { rc: "HOST=other\n:0\nno\n" } },
  { args: ["-m", "rc"], files: { rc: "HOST=other\n:0\nno\n" } },
  { args: ["LOGFILE=$HOME/log", box] },
  { args: ["-m", "LOGFILE=log", "DEFAULT=box", "/dev/null"] },
  { args: ["=x", "1A=y", box] },
  { args: [`DEFAULT=|`], rc: "" },
  // Exit status.
  ...["EXITCODE=9", "EXITCODE=-3", "EXITCODE=", "EXITCODE=300"].flatMap((line) => [
    { args: ["-m", "rc"], files: { rc: `${line}\n` } },
    { args: ["-m", "rc"], files: { rc: `${line}\n:0\nbox\n` } },
  ]),
  { args: ["-m", "rc"], files: { rc: 'TRAP="exit 4;"\nEXITCODE=\n:0\nbox\n' } },
  { args: ["-m", "rc"], files: { rc: ":0\nno/such/box\n" } },
  { args: ["-t", "-m", "rc"], files: { rc: ":0\nno/such/box\n" } },
  { args: ["-m", "rc"], files: { rc: ":0w\n| cat > /dev/null; exit 3\n" } },
  { args: ["-t", "-m", "rc"], files: { rc: ":0w\n| cat > /dev/null; exit 3\n" } },
  // Recipients.
  { args: ["-d", "USER"], rc: ":0\nfound\n" },
  { args: ["-dUSER"], rc: ":0\nfound\n" },
  { args: ["-t", "-f", "carl", "-a", "x", "-d", "USER"], rc: show },
  { args: ["-d", "UPPER"], rc: ":0\nfound\n" },
  { args: ["-d", "no-such-user"] },
  { args: ["-t", "-d", "No-Such-User"] },
  { args: ["-d", "root"] },
  { args: ["-d", "USER"], rc: ":0\nfound\n", as: "root" },
  { args: ["-d", "USER"], rc: show, as: "root" },
  { args: ["-d", "USER"], rc: ":0i\n| id > $HOME/shown\n", as: "root" },
  { args: ["-d", "UPPER"], rc: ":0\nfound\n", as: "root" },
  { args: ["-d", "no-such-user"], as: "root" },
  { args: ["-d", "USER", "no-such-user"], rc: ":0\nfound\n", as: "root" },
  { args: ["-d", "no-such-user", "USER"], rc: ":0\nfound\n", as: "root" },
  { args: ["-f", "carl", "-d", "USER", "USER"], rc: ":0\nfound\n", as: "root" },
  { args: ["-t", "-d", "USER"], rc: ":0\nfound\n", as: "root" },
  { args: ["-d", "USER"], as: "root" },
  // rc files that others could have written.
  ...[0o600, 0o644, 0o664, 0o666, 0o602, 0o400].flatMap((rcMode) => [
    { args: [box], rc: ":0\nfound\n", rcMode },
    { args: ["-d", "USER"], rc: ":0\nfound\n", rcMode, as: "root" as const },
  ]),
  // The system mailbox.
  { args: [] },
  ...[0o600, 0o660, 0o640, 0o644, 0o666, 0o700, 0o755, 0o4600, 0o2660].map((spool) => ({ args: [], spool })),
  ...(["none", "link", "foreign", 0o644, 0o4600] as const).map((spool) => ({ args: ["-d", "USER"], spool, as: "root" as const })),
  { args: [], spool: "none" },
  { args: [box], spool: "none" },
];

export const defaultMail = plain;
