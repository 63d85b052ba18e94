/* harden.h - what a process does that holds clear PINs for microseconds: no core, no dump, no swap,
 * no life without its parent. hsmd only. */
#ifndef HSM_HARDEN_H
#define HSM_HARDEN_H

#include "base/base.h"

/* First thing: not dumpable, core limit 0, killed with the daemon, signals of the terminal ignored.
 */
void hsm_harden_start(void);
/* After the module is loaded: locks all memory, now and later. False: not granted. */
bool hsm_harden_lock(void);
/* Excludes all writable memory from dumps taken by others; again whenever the heap has grown. Not
 * under ASan, whose shadow is most of the address space. */
void hsm_harden_hide(void);

#endif
