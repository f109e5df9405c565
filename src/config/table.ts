/**
 * Every setting there is. The tables lie by room in settings-*.ts; this joins them and derives the
 * typed object. From it come the parser (parse.ts), etc/posthorn.conf, posthorn.conf(5) and `posthorn config`.
 */
import type { Setting } from "./setting.ts";
import { accessSettings } from "./settings-access.ts";
import { deliverySettings } from "./settings-delivery.ts";
import { fulltextSettings } from "./settings-fulltext.ts";
import { generalSettings } from "./settings-general.ts";
import { queueSettings } from "./settings-queue.ts";
import { smtpdSettings } from "./settings-smtpd.ts";

export const table = {
  ...generalSettings,
  ...smtpdSettings,
  ...queueSettings,
  ...deliverySettings,
  ...accessSettings,
  ...fulltextSettings,
};

type Values<T> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never };

/** All settings, typed, frozen. Durations are ms, sizes octets. `config_file` is where they came from. */
export type Settings = Values<typeof table> & { readonly config_file: string };

export type SettingName = keyof typeof table;
