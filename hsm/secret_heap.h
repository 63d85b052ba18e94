/* secret_heap.h - where OpenSSL's key schedules lie: in locked memory that no dump shows.
 *
 * OpenSSL takes its contexts from the heap, and a heap is dumped and swapped. Between
 * hsm_secret_heap_open() and _close() every allocation of libcrypto comes out of one MEM_SECRET
 * region instead; it never shrinks, because the contexts made there live as long as the daemon.
 * Start-up, one thread. */
#ifndef HSM_SECRET_HEAP_H
#define HSM_SECRET_HEAP_H

#include "base/base.h"

void hsm_secret_heap_open(void);
void hsm_secret_heap_close(void);
/* False: libcrypto had been used before this library could place itself under it (only a program
 * that loads libcrypto in a strange order sees that); contexts then lie in the plain heap. */
bool hsm_secret_heap_works(void);
/* Is the address inside the region? */
bool hsm_secret_heap_holds(const void *memory);

#endif
