/**
 * Deliveries into the folders of a Maildir, by groups: all that are asked for in one turn of the event loop.
 *
 * | step | on disk | killed here |
 * |---|---|---|
 * | files written in tmp/, their fsyncs at once | parts of files, whole files | nobody looks; the senders try again |
 * | each file whose fsync has ended well is renamed to new/ | some are visible, all of them whole | those are delivered; perhaps twice |
 * | each directory is fsynced once | durable | delivered |
 *
 * The *commit point* of a message is the fsync of its directory, and `deliver` resolves after it (deliver.ts). A message fails alone: what the
 * disk has no room for, or the quota, does not stop the others. Only one that waits for a directory that can not be fsynced shares its fate.
 */
import { syncDirectory } from "../durable.ts";
import type { NewMessage } from "../mailbox.ts";
import { forget, prepare, show, type Prepared } from "./deliver.ts";
import { sizeIn } from "./filename.ts";
import type { Quota } from "./quota.ts";

/** Longer messages do not let others wait for their fsync, octets. */
const alone = 256 << 10;

interface Delivery {
  readonly folder: string;
  readonly message: NewMessage;
  readonly resolve: (base: string) => void;
  readonly reject: (fault: unknown) => void;
}

/** One whose file is whole in tmp/, or in new/ by now. */
interface Written extends Delivery {
  readonly prepared: Prepared;
  readonly octets: number;
  readonly exempt: boolean;
  path: string;
}

export class Deliveries {
  readonly #quota: Quota;
  #gathering: Delivery[] | undefined;

  constructor(quota: Quota) {
    this.#quota = quota;
  }

  /** Delivers one message, new and without flags: visible and durable when it resolves, not there when it rejects. Returns its base name. */
  deliver(folder: string, message: NewMessage): Promise<string> {
    return new Promise((resolve, reject) => {
      const delivery = { folder, message, resolve, reject };
      if (message.octets.length > alone) void commit([delivery], this.#quota);
      else this.#gather(delivery);
    });
  }

  #gather(delivery: Delivery): void {
    if (this.#gathering !== undefined) {
      this.#gathering.push(delivery);
      return;
    }
    const group = (this.#gathering = [delivery]);
    setImmediate(() => {
      this.#gathering = undefined;
      void commit(group, this.#quota);
    });
  }
}

/** Settles all of them; never rejects. */
async function commit(group: readonly Delivery[], quota: Quota): Promise<void> {
  const shown = admitted(await written(group), quota).filter(makeVisible);
  const folders = [...new Set(shown.map(({ folder }) => folder))];
  const synced = await Promise.allSettled(folders.map((folder) => syncDirectory(`${folder}/new`)));
  const durable = shown.filter((one) => {
    const directory = synced[folders.indexOf(one.folder)];
    if (directory?.status === "rejected") takeBack(one, directory.reason);
    return directory?.status === "fulfilled";
  });
  quota.changed(sum(durable), durable.length);
  for (const { resolve, prepared } of durable) resolve(prepared.base);
}

const sum = (files: readonly Written[]): number => files.reduce((octets, one) => octets + one.octets, 0);

async function written(group: readonly Delivery[]): Promise<Written[]> {
  const ended = await Promise.allSettled(group.map(({ folder, message }) => prepare(folder, message)));
  return group.flatMap((delivery, i) => {
    const file = ended[i];
    if (file?.status === "fulfilled") {
      const { base, temporary } = file.value;
      return [{ ...delivery, prepared: file.value, octets: sizeIn(Buffer.from(base), "S") ?? 0, exempt: delivery.message.exempt === true, path: temporary }];
    }
    delivery.reject(file?.reason);
    return [];
  });
}

/** Those that the quota has room for. */
function admitted(files: readonly Written[], quota: Quota): Written[] {
  try {
    const refused = quota.refused(files);
    return files.filter((one, i) => {
      if (refused[i] !== undefined) takeBack(one, refused[i]);
      return refused[i] === undefined;
    });
  } catch (error) {
    for (const one of files) takeBack(one, error);
    return [];
  }
}

function makeVisible(one: Written): boolean {
  try {
    const { directory, file } = show(one.folder, one.prepared, "");
    one.path = `${one.folder}/${directory}/${file}`;
    return true;
  } catch (error) {
    takeBack(one, error);
    return false;
  }
}

/** The sender tries again, and would have it twice. */
function takeBack({ path, reject }: Written, fault: unknown): void {
  try {
    forget(path);
    reject(fault);
  } catch (error) {
    reject(error);
  }
}
