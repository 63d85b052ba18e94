/* uring_compat.h - what base/io_uring.c asks of the kernel, and why no more.
 *
 * The floor is Linux 6.1 with liburing 2.3: DEFER_TASKRUN came with 6.1, so a ring that is made
 * with these flags has everything used here (multishot accept 5.19 and receive 6.0, buffer
 * rings 5.19, cancelling by descriptor 5.19).
 *
 * NEVER IORING_SETUP_NO_SQARRAY: liburing 2.3 does not know it, returns success and writes its
 * index array over the ring's own header. Newer versions of the library set it by themselves where
 * it is safe. Bundles and incremental buffers stay out: out-of-order data was seen with them up
 * to 6.14. */
#ifndef BASE_URING_COMPAT_H
#define BASE_URING_COMPAT_H

#include <liburing.h>

/* One submitter, completions run when it enters the kernel, a failed entry does not stop the batch,
 * and a completion queue of our own size. */
#define URING_SETUP_FLAGS                                                                          \
    (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |           \
     IORING_SETUP_CQSIZE)

/* No completion is dropped (5.5), arguments are copied at submission (5.5), reads and sends wait by
 * polling and not in kernel threads (5.7), waiting takes a time-out (5.11). */
#define URING_FEATURES_NEEDED                                                                      \
    (IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_FAST_POLL | IORING_FEAT_EXT_ARG)

#endif
