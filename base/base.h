/* base.h - what every file of the project may assume: must(), NODISCARD, sizes.
 *
 * must(x) is an invariant: it stays on in production, prints the place and the last log records,
 * and aborts. It is never a check of outside input. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NODISCARD                   __attribute__((warn_unused_result))
#define NORETURN                    __attribute__((noreturn))
#define PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
/* Also needed by functions that only prefetch: they have no effect that the compiler knows, and gcc
 * 12 removes their calls where it does not happen to inline them first. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define countof(array) (sizeof(array) / sizeof((array)[0]))
#define likely(x)      __builtin_expect(!!(x), 1)
#define unlikely(x)    __builtin_expect(!!(x), 0)

/* Totals and products; two words in records. */
__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

NORETURN void must_failed(const char *expression, const char *file, int line);
#define must(x) (likely(x) ? (void)0 : must_failed(#x, __FILE__, __LINE__))

#endif
