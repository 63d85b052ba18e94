/* io_err.c - see io_err.h and io.h. */
#include "base/io_err.h"

#include <errno.h>

#define BASE_POISON_DATA_PLANE
#include "base/poison.h"

enum io_err io_err_of(int number)
{
    switch (number) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return IO_ERR_REFUSED;
    case ETIMEDOUT:
    case ETIME:
        return IO_ERR_TIMEOUT;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
        return IO_ERR_UNREACHABLE;
    case EADDRINUSE:
        return IO_ERR_IN_USE;
    case EACCES:
    case EPERM:
    case EROFS:
        return IO_ERR_DENIED;
    case ECANCELED:
        return IO_ERR_CANCELLED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return IO_ERR_NO_SPACE;
    case EIO:
        return IO_ERR_DISK;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return IO_ERR_LIMIT;
    default:
        return IO_ERR_OTHER;
    }
}

const char *io_err_text(int32_t result)
{
    switch ((enum io_err)(result < 0 ? -result : 0)) {
    case IO_OK:
        return "done";
    case IO_ERR_REFUSED:
        return "refused or reset by the other side";
    case IO_ERR_TIMEOUT:
        return "no answer in time";
    case IO_ERR_UNREACHABLE:
        return "not reachable";
    case IO_ERR_IN_USE:
        return "address in use";
    case IO_ERR_DENIED:
        return "not permitted";
    case IO_ERR_CANCELLED:
        return "cancelled";
    case IO_ERR_NO_SPACE:
        return "no space left";
    case IO_ERR_DISK:
        return "input/output error of the disk";
    case IO_ERR_LIMIT:
        return "out of descriptors or kernel memory";
    case IO_ERR_OTHER:
        return "unexpected error";
    }
    return "unexpected error";
}
