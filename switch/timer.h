/* timer.h - an entry of the worker's wheel that knows what it is a part of. */
#ifndef SWITCH_TIMER_H
#define SWITCH_TIMER_H

#include "base/wheel.h"

enum timer_kind {
    TIMER_TXN,     /* struct txn: its stage's deadline */
    TIMER_MATCH,   /* struct match_entry: from waiting to late, from late to gone */
    TIMER_DIAL,    /* struct endpoint: dial again */
    TIMER_ECHO,    /* struct endpoint: 0800 */
    TIMER_RESOLVE, /* struct resolve_item: say it again */
};

struct timer {
    struct wheel_entry entry; /* first: the wheel hands out its address */
    enum timer_kind kind;
};

#define timer_owner(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
