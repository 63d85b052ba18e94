/* spec_jpos_parts.h - what the two halves of the jPOS importer share: fields (spec_jpos.c) and the
 * packagers inside them (spec_jpos_parts.c). */
#ifndef CTL_SPEC_JPOS_PARTS_H
#define CTL_SPEC_JPOS_PARTS_H

#include "ctl/spec_jpos_class.h"
#include "ctl/spec_jpos_read.h"

struct jpos {
    const char *file;
    struct text *out;
    struct iso_report *report;
};

/* spec_jpos.c */
void jpos_complain(struct jpos *jpos, const struct jpos_field *field, const char *text);
/* "hex", "binary", "hex-ebcdic"; NULL: the class is no bitmap of a message. */
const char *jpos_bitmap_encoding(const char *class);
const struct jpos_field *jpos_child(const struct jpos_field *parent, int32_t id);
void jpos_add_indent(struct jpos *jpos, uint32_t indent);
/* `form: "…", encoding: …`, for a field that is no tagged part. */
void jpos_add_form(struct jpos *jpos, const struct jpos_field *field);
/* A field on lines of its own, with this key. */
void jpos_add_field(struct jpos *jpos, int32_t key, const struct jpos_field *field,
                    uint32_t indent);

/* spec_jpos_parts.c: what stands inside a field that has a packager. */
void jpos_add_parts(struct jpos *jpos, const struct jpos_field *field, uint32_t indent);

#endif
