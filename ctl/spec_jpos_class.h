/* spec_jpos_class.h - the field classes of spec_jpos.def. */
#ifndef CTL_SPEC_JPOS_CLASS_H
#define CTL_SPEC_JPOS_CLASS_H

#include "base/base.h"

enum jpos_flags {
    JPOS_NONE,
    JPOS_SIGN,
    JPOS_INCLUSIVE,
    JPOS_EMPTY,
    JPOS_ZERO,
    JPOS_FILLED,
    JPOS_MAP
};
struct jpos_class {
    const char *name, *class, *encoding, *length, *filler;
    enum jpos_flags flags;
};
struct jpos_tagged { /* a part with a tag of its own before its length */
    const char *name, *tags, *class, *encoding, *length;
};
const struct jpos_tagged *jpos_tagged_of(const char *name); /* NULL: no such class */
const char *jpos_refusal_of(const char *name);              /* why; NULL: no class of that table */
const struct jpos_class *jpos_class_of(const char *name);   /* NULL: unknown */
const struct jpos_class *jpos_class_at(uint32_t index);     /* NULL behind the last */

#endif
