/* spec_jpos_read.h - the XML of a GenericPackager as a tree. Strings live in the arena. */
#ifndef CTL_SPEC_JPOS_READ_H
#define CTL_SPEC_JPOS_READ_H

#include "ctl/spec.h"
#include "iso8583/arena.h"

#define JPOS_DEPTH_MAX 6u

struct jpos_field {
    struct jpos_field *next, *first; /* ascending by id */
    uint32_t line, column;
    int32_t id;
    uint32_t length, depth;
    const char *class, *name; /* class without its package */
    const char *packager;     /* of an isofieldpackager; NULL: an isofield */
    const char *form;         /* <?ringswitch …?> inside: the dialect's own form; or NULL */
    bool pad, inclusive;
    bool emit_bitmap;
    int32_t bitmap_field, first_field, third_bitmap; /* -1: not given */
    const char *tag_mapper;                          /* of a packager of tagged fields, or "" */
    int32_t tag_size;
    bool swaps_tag;
    uint32_t header_length;
};
/* NULL: the report says why. What is passed over without harm (validators) becomes comments in
 * `remarks`, one a line. */
NODISCARD struct jpos_field *jpos_read(const char *text, size_t size, const char *file,
                                       struct arena *arena, struct text *remarks,
                                       struct iso_report *report);

#endif
