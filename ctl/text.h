/* text.h - a text that grows, for tools: written once, printed, freed. Out of memory: must(). */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include "base/base.h"

struct text { /* zero it before use; data is NUL-terminated, NULL while empty */
    char *data;
    size_t size, room;
};
void text_add(struct text *text, const char *format, ...) PRINTF(2, 3);
void text_add_bytes(struct text *text, const void *bytes, size_t size);
/* A YAML scalar: double quotes and escapes where a plain one would mean something else. */
void text_add_yaml(struct text *text, const char *value);
void text_add_json(struct text *text, const char *value); /* a JSON string, with its quotes */
void text_add_xml(struct text *text, const char *value);  /* for an attribute in double quotes */
void text_free(struct text *text);

/* The whole file, or standard input for "-", at most size_max bytes and a NUL behind them; false:
 * `why` says so. Free text->data with text_free(). */
NODISCARD bool text_read(struct text *text, const char *path, size_t size_max, const char **why);

#endif
