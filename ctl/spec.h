/* spec.h - message specifications of other notations: read into a dialect file, and written.
 *
 * An importer reads `text` and adds the YAML of a dialect to `out`; what cannot be expressed is a
 * text "FILE:LINE:COL: …" in the report, naming the class and the field, all of them in one run;
 * nothing of `out` is meant to be used then. Control thread; bounded by the size of the text. */
#ifndef CTL_SPEC_H
#define CTL_SPEC_H

#include "ctl/text.h"
#include "iso8583/dialect.h"

#define SPEC_BYTES_MAX (4u << 20)

/* The notation of one line a field: {"mti":…,"bitmap":…,"header":…,"fields":{"2":"a A2..19"}}. */
NODISCARD bool spec_import_table(const char *text, size_t size, const char *file, struct text *out,
                                 struct iso_report *report);
/* jPOS: XML of its GenericPackager. */
NODISCARD bool spec_import_jpos(const char *text, size_t size, const char *file, struct text *out,
                                struct iso_report *report);
/* moov-io/iso8583: JSON of a message specification. */
NODISCARD bool spec_import_moov(const char *text, size_t size, const char *file, struct text *out,
                                struct iso_report *report);

/* The reverse; a field that the other side cannot express is a fault in the report. */
NODISCARD bool spec_export_jpos(const struct iso_dialect *dialect, struct text *out,
                                struct iso_report *report);
NODISCARD bool spec_export_moov(const struct iso_dialect *dialect, struct text *out,
                                struct iso_report *report);

/* --- what importers share --- */

/* Line and column, from 1, of text[offset]; columns count bytes. */
void spec_place(const char *text, size_t offset, uint32_t *line, uint32_t *column);
/* The offset of the value at a path of keys, or decimal places in arrays, in valid JSON text; of
 * the innermost one that is there. */
size_t spec_json_offset(const char *text, size_t size, const char *const *keys, uint32_t count);
/* "my-spec.xml" → "my-spec": a name for a dialect; out holds 64. */
void spec_name_of(const char *file, char out[64]);
/* Loads what was written: a fault of it is one of the importer's, added to the report. */
NODISCARD bool spec_is_dialect(const struct text *yaml, const char *file,
                               struct iso_report *report);

#endif
