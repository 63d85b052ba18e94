/* io_err.h - from the kernel's error numbers to enum io_err; for base/io_*.c and base/disk.c, the
 * only files that see such numbers. */
#ifndef BASE_IO_ERR_H
#define BASE_IO_ERR_H

#include "base/io.h"

/* number: errno, or a negative completion turned positive. Never IO_OK. */
enum io_err io_err_of(int number);

#endif
