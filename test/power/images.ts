/** What the virtual machine is made of: an initramfs of busybox and modules, a read-only root with Posthorn installed, a disk for its data. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { top } from "../bench/ours.ts";
import { run } from "../bench/place.ts";

export const domain = "example.test";
export const users = ["m1", "m2", "b1", "b2"] as const;
export type User = (typeof users)[number];
export const passwordOf = (user: User): string => `pw-${user}`;
/** Listeners of the guest that are reached from outside. */
export const guestPorts = { smtp: 2525, lmtp: 2424, imap: 2143 } as const;

const modules = ["virtio_pci", "virtio_blk", "virtio_net", "ext4", "crc32c_generic"];
const busybox = "/usr/bin/busybox";

export interface Images {
  readonly kernel: string;
  readonly initramfs: string;
  readonly root: string;
  readonly data: string;
}

/** The kernel to boot, with its modules; undefined when there is none. */
export function kernelVersion(): string | undefined {
  return readdirSync("/boot").flatMap((name) => (/^vmlinuz-(.*)/.exec(name)?.[1] ?? []) as string).find((version) => existsSync(`/lib/modules/${version}/modules.dep`));
}

/** Makes all of it in `directory`. Wants root (chroot, owners) and what `whatIsMissing` looks for. */
export function makeImages(directory: string): Images {
  const version = kernelVersion();
  if (version === undefined) throw new Error("no kernel in /boot with its modules");
  const images = { kernel: `/boot/vmlinuz-${version}`, initramfs: `${directory}/initramfs`, root: `${directory}/root.img`, data: `${directory}/data.img` };
  makeInitramfs(`${directory}/early`, images.initramfs, version);
  const stage = `${directory}/stage`;
  makeRoot(stage);
  mkdirSync(`${stage}/data`, { recursive: true });
  makeInstance(stage);
  // Its data is another disk.
  mkdirSync(`${directory}/data`);
  run("mv", [`${stage}/data/i`, `${directory}/data/i`]);
  run("mke2fs", ["-q", "-t", "ext4", "-d", stage, images.root, "600M"]);
  run("mke2fs", ["-q", "-t", "ext4", "-b", "4096", "-J", "size=16", "-d", `${directory}/data`, images.data, "512M"]);
  for (const used of [stage, `${directory}/data`, `${directory}/early`]) rmSync(used, { recursive: true });
  return images;
}

function script(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

function makeInitramfs(early: string, initramfs: string, version: string): void {
  for (const d of ["bin", "proc", "sys", "dev", "root", "modules"]) mkdirSync(`${early}/${d}`, { recursive: true });
  copyFileSync(busybox, `${early}/bin/busybox`);
  chmodSync(`${early}/bin/busybox`, 0o755);
  const loaded: string[] = [];
  for (const path of withDependencies(version)) {
    copyFileSync(`/lib/modules/${version}/${path}`, `${early}/modules/${basename(path)}`);
    loaded.push(basename(path));
  }
  script(
    `${early}/init`,
    `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for m in ${loaded.join(" ")}; do $b insmod /modules/$m; done
n=0; until [ -b /dev/vdb ] || [ $n = 50 ]; do $b sleep 0.1; n=$((n+1)); done
$b mount -t ext4 -o ro /dev/vda /root && $b mount -t ext4 /dev/vdb /root/data || { $b echo "MOUNT FAILED"; $b poweroff -f; }
$b mount --move /dev /root/dev
$b umount /proc
exec $b switch_root /root /sbin/start
`,
  );
  run("/bin/sh", ["-c", 'cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet > "$2"', "sh", early, initramfs]);
}

/** Modules in the order in which they load. */
function withDependencies(version: string): string[] {
  const needs = new Map(readFileSync(`/lib/modules/${version}/modules.dep`, "utf8").trim().split("\n").map((line) => {
    const [path = "", rest = ""] = line.split(":");
    return [path, rest.trim().split(/\s+/).filter((p) => p !== "")] as const;
  }));
  const order: string[] = [];
  const add = (path: string): void => {
    if (order.includes(path)) return;
    for (const needed of [...(needs.get(path) ?? [])].reverse()) add(needed);
    if (!order.includes(path)) order.push(path);
  };
  const builtIn = readFileSync(`/lib/modules/${version}/modules.builtin`, "utf8");
  for (const name of modules) {
    const path = [...needs.keys()].find((p) => basename(p) === `${name}.ko` || basename(p).startsWith(`${name}.ko.`));
    if (path !== undefined) add(path);
    else if (!builtIn.includes(`/${name}.ko`)) throw new Error(`kernel ${version} has no module ${name}`);
  }
  return order;
}

function makeRoot(stage: string): void {
  mkdirSync(stage);
  run("make", ["-s", "-C", top, "install", `DESTDIR=${stage}`]);
  for (const d of ["bin", "sbin", "etc", "dev", "proc", "sys", "tmp", "run", "root"]) mkdirSync(`${stage}/${d}`, { recursive: true });
  copyFileSync(busybox, `${stage}/bin/busybox`);
  chmodSync(`${stage}/bin/busybox`, 0o755);
  for (const applet of ["sh", "uname", "readlink", "sed", "cat", "mount", "ip", "hostname", "poweroff", "sync"]) symlinkSync("busybox", `${stage}/bin/${applet}`);
  const node = run("/bin/sh", ["-c", `ls ${stage}/usr/lib/posthorn/node_modules/node-linux-*/bin/node`]).trim();
  const libraries = [...run("ldd", [node]).matchAll(/(\/\S+)/g)].map((m) => m[1] ?? "");
  for (const extra of ["libcrypt.so.1", "libpam.so.0", "libaudit.so.1", "libcap-ng.so.0"]) libraries.push(...run("/bin/sh", ["-c", `/sbin/ldconfig -p | sed -n 's/.* ${extra} .*=> //p' | head -1; ldconfig -p | sed -n 's/.*${extra} .*=> //p' | head -1`]).trim().split("\n"));
  for (const library of libraries) {
    if (library === "" || existsSync(stage + library)) continue;
    mkdirSync(dirname(stage + library), { recursive: true });
    run("cp", ["-L", library, stage + library]);
  }
  writeFileSync(`${stage}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(`${stage}/etc/group`, "root:x:0:\nmail:x:8:\n");
  writeFileSync(`${stage}/etc/hosts`, "127.0.0.1 localhost\n");
  for (const [name, minor] of [["null", "3"], ["urandom", "9"]] as const) run("mknod", ["-m", "666", `${stage}/dev/${name}`, "c", "1", minor]);
  script(
    `${stage}/sbin/start`,
    `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
hostname power
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
echo "uptime $(cat /proc/uptime)"
/usr/bin/posthorn run --config /data/i/etc/posthorn.conf
echo "STACK ENDED"
poweroff -f
`,
  );
}

/** `posthorn init` in the stage, so that its paths are those of the guest; m1, m2 have a Maildir, b1, b2 an mbox. */
function makeInstance(stage: string): void {
  const listen = Object.entries(guestPorts).flatMap(([name, port]) => ["--set", `${name}_listen=0.0.0.0:${port}`]);
  const settings = ["mail_location_maps=/data/i/etc/locations", "protocols=smtp lmtp imap", "queue_run_delay=2s", "minimal_backoff_time=2s", "maximal_backoff_time=5s", "auth_failure_delay=0", "disable_plaintext_auth=no"];
  run("chroot", [stage, "/usr/bin/posthorn", "init", "/data/i", "--domain", domain, ...users.flatMap((user) => ["--user", `${user}:${passwordOf(user)}`]), ...listen, ...settings.flatMap((one) => ["--set", one])]);
  writeFileSync(`${stage}/data/i/etc/locations`, users.filter((user) => user.startsWith("b")).map((user) => `${user} mbox:~/mail:INBOX=/data/i/mail/${user}/inbox\n`).join(""));
}
