/** Settings of the full-text index. */
import { yesno } from "./kinds.ts";
import { setting } from "./setting.ts";

export const fulltextSettings = {
  fts: setting(yesno, "yes", "Answer SEARCH BODY, TEXT and HEADER with a full-text index, fulltext.db in the user's mail directory. It is made in the background of folders that are searched, takes about a quarter as much space as their messages (more where there are few), and can be deleted at any time. With no every search reads the messages; results are the same."),
  fts_autoindex: setting(yesno, "no", "Index every folder that is opened, before its first search."),
};
