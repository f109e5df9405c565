/** sched(7): a process that runs only where nobody else wants a processor, for a while. */
import { readdirSync } from "node:fs";
import { capability, hasCapability } from "./capabilities.ts";
import { cFunction, errno, SystemFault } from "./libc.ts";

const schedSetscheduler = cFunction("int sched_setscheduler(int thread, int policy, const void *parameters)");

/** Of <sched.h>. */
const policies = { other: 0, idle: 5 } as const;

/** All threads of this process, and those they start later, have the policy. Throws SystemFault. */
function setPolicy(policy: number): void {
  // The main thread first: it starts the others.
  for (const task of [String(process.pid), ...readdirSync("/proc/self/task")])
    if (schedSetscheduler(Number(task), policy, Buffer.alloc(4)) !== 0) {
      const fault = new SystemFault("sched_setscheduler", errno(), task);
      // A thread that has ended meanwhile.
      if (fault.code !== "ESRCH") throw fault;
    }
}

/** From now on this process only runs where nobody else wants to, until `runAsOthers`. False when it could not come back, for want of CAP_SYS_NICE: all stays as it is. */
export function runWhenIdle(): boolean {
  if (!hasCapability(capability.sysNice)) return false;
  setPolicy(policies.idle);
  return true;
}

/** From now on it runs as others do. Throws SystemFault. */
export const runAsOthers = (): void => setPolicy(policies.other);
