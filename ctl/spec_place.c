/* spec_place.c - where something stands in a file, for located faults; names from file names. */
#include "ctl/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void spec_place(const char *text, size_t offset, uint32_t *line, uint32_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else {
            ++*column;
        }
    }
}

/* Behind the string that begins at `at` (its quote). */
static size_t skip_string(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++) {
        at += text[at] == '\\';
    }
    return at < size ? at + 1 : size;
}

static size_t skip_blanks(const char *text, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n:,", text[at]) != NULL && text[at] != 0) {
        at++;
    }
    return at;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(const char *text, size_t size, size_t at)
{
    uint32_t depth = 0;
    while (at < size) {
        char c = text[at];
        if (c == '"') {
            at = skip_string(text, size, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                return at;
            }
            depth--;
            at++;
        } else if (depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
            return at;
        } else {
            at++;
            if (depth == 0) {
                continue;
            }
        }
        if (depth == 0) {
            return at;
        }
    }
    return size;
}

/* The member `key` of the object or array at `at`; false when it is not there. */
static bool find_member(const char *text, size_t size, size_t *at, const char *key)
{
    bool is_array = text[*at] == '[';
    unsigned long place = strtoul(key, NULL, 10);
    size_t here = *at + 1;
    if (text[*at] != '{' && !is_array) {
        return false;
    }
    while ((here = skip_blanks(text, size, here)) < size && text[here] != '}' &&
           text[here] != ']') {
        if (is_array) {
            if (place-- == 0) {
                *at = here;
                return true;
            }
        } else {
            size_t end = skip_string(text, size, here), key_size = strlen(key);
            bool found = end - here == key_size + 2 && memcmp(text + here + 1, key, key_size) == 0;
            here = skip_blanks(text, size, end);
            if (found) {
                *at = here;
                return here < size;
            }
        }
        size_t next = skip_value(text, size, here);
        here = next > here ? next : here + 1;
    }
    return false;
}

size_t spec_json_offset(const char *text, size_t size, const char *const *keys, uint32_t count)
{
    size_t at = skip_blanks(text, size, 0);
    for (uint32_t i = 0; i < count && at < size; i++) {
        if (!find_member(text, size, &at, keys[i])) {
            break;
        }
    }
    return at < size ? at : 0;
}

void spec_name_of(const char *file, char out[64])
{
    const char *slash = strrchr(file, '/');
    const char *name = slash != NULL ? slash + 1 : file;
    size_t used = 0;
    for (; *name != 0 && *name != '.' && used < 63; name++) {
        bool plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                     (*name >= '0' && *name <= '9') || *name == '-' || *name == '_';
        out[used++] = plain ? *name : '-';
    }
    out[used] = 0;
    if (used == 0 || strcmp(out, "-") == 0) {
        (void)snprintf(out, 64, "imported");
    }
}

bool spec_is_dialect(const struct text *yaml, const char *file, struct iso_report *report)
{
    struct iso_report *own = calloc(1, sizeof *own);
    must(own != NULL);
    struct iso_dialect *dialect =
        iso_dialect_load_text(yaml->data, yaml->size, "(dialect)", NULL, own);
    for (uint32_t i = 0; i < own->count; i++) {
        iso_report_add(report, file, 1, 1, "as a dialect: %s", own->texts[i]);
    }
    free(own);
    iso_dialect_free(dialect);
    return dialect != NULL;
}
