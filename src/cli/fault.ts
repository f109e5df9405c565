/** What a command tells its caller when it can not do its work: a text for standard error and an exit code of sysexits.h. */
export class CommandFault extends Error {
  readonly exit: number;
  constructor(text: string, exit: number) {
    super(text);
    this.name = "CommandFault";
    this.exit = exit;
  }
}

export const exUsage = 64;
export const exUnavailable = 69;
export const exSoftware = 70;
export const exCantCreate = 73;
export const exTempFail = 75;
export const exNoPermission = 77;
export const exConfig = 78;
