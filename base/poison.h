/* poison.h - include it last in a .c file: what may not be called there does not compile.
 *
 * Everywhere: functions without a bound, and atoi, which cannot say no. A file of the data plane
 * defines BASE_POISON_DATA_PLANE before it: no allocation, and no time or chance but by base/clock.
 */
#ifndef BASE_POISON_H
#define BASE_POISON_H

#undef sprintf /* macros where the C library checks sizes for clang */
#undef vsprintf
#pragma GCC poison strcpy strcat sprintf vsprintf strtok gets atoi

#ifdef BASE_POISON_DATA_PLANE
#pragma GCC poison malloc calloc realloc free strdup time rand random localtime gmtime
#endif

#endif
