/* schema.h - a YAML file held against a JSON Schema: for `ringctl dialect check`, which refuses
 * what an editor would mark. Control thread; allocates.
 *
 * KEYWORDS  type, enum, const, properties, required, additionalProperties, propertyNames, items,
 * minItems, maxItems, minimum, maximum, pattern (POSIX extended), oneOf, $ref to #/$defs/NAME; and
 * $schema, $defs, title, description, which say nothing. Any other one is a fault of the schema, so
 * that none is passed over unread. Scalars have the types of YAML 1.2's core schema. */
#ifndef ISO8583_SCHEMA_H
#define ISO8583_SCHEMA_H

#include "iso8583/dialect.h"

struct iso_source { /* a file that has been read */
    const char *text;
    size_t size;
    const char *name; /* used in texts */
};
/* Every fault is added to the report as "FILE:LINE:COL: PATH: text". False: there was one. */
NODISCARD bool iso_schema_check(const struct iso_source *schema, const struct iso_source *file,
                                struct iso_report *report);

#endif
