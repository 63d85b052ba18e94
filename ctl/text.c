/* text.c - a growing text, and how values are quoted in it. */
#include "ctl/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_room(struct text *text, size_t more)
{
    if (text->size + more < text->room) {
        return;
    }
    text->room = (text->size + more + 1) * 2;
    text->data = realloc(text->data, text->room);
    must(text->data != NULL);
}

void text_add_bytes(struct text *text, const void *bytes, size_t size)
{
    make_room(text, size + 1);
    memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = 0;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    char room[1024];
    va_start(arguments, format);
    int size = vsnprintf(room, sizeof room, format, arguments);
    va_end(arguments);
    must(size >= 0);
    if ((size_t)size < sizeof room) {
        text_add_bytes(text, room, (size_t)size);
        return;
    }
    make_room(text, (size_t)size + 1);
    va_start(arguments, format);
    (void)vsnprintf(text->data + text->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    text->size += (size_t)size;
}

/* Plain scalars: letters, digits and a few signs, beginning with a letter, and no word that YAML
 * or a reader would take for something else. */
static bool is_plain(const char *value)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off"};
    bool letter = (value[0] >= 'A' && value[0] <= 'Z') || (value[0] >= 'a' && value[0] <= 'z');
    for (size_t i = 0; i < countof(words); i++) {
        letter = letter && strcasecmp(value, words[i]) != 0;
    }
    size_t size = strlen(value);
    for (size_t i = 0; letter && i < size; i++) {
        char c = value[i];
        letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 (c == ' ' && i + 1 < size) || c == '-' || c == '_' || c == '(' || c == ')' ||
                 c == '/' || c == '.';
    }
    return letter;
}

static void add_quoted(struct text *text, const char *value)
{
    text_add_bytes(text, "\"", 1);
    for (const char *p = value; *p != 0; p++) {
        if (*p == '"' || *p == '\\') {
            text_add(text, "\\%c", *p);
        } else if ((unsigned char)*p < 0x20 || (unsigned char)*p == 0x7F) {
            text_add(text, "\\u%04X", (unsigned)(unsigned char)*p);
        } else {
            text_add_bytes(text, p, 1);
        }
    }
    text_add_bytes(text, "\"", 1);
}

void text_add_yaml(struct text *text, const char *value)
{
    if (is_plain(value)) {
        text_add_bytes(text, value, strlen(value));
    } else {
        add_quoted(text, value);
    }
}

void text_add_json(struct text *text, const char *value)
{
    add_quoted(text, value);
}

void text_add_xml(struct text *text, const char *value)
{
    for (const char *p = value; *p != 0; p++) {
        switch (*p) {
        case '&':
            text_add(text, "&amp;");
            break;
        case '<':
            text_add(text, "&lt;");
            break;
        case '"':
            text_add(text, "&quot;");
            break;
        default:
            text_add_bytes(text, p, 1);
        }
    }
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

bool text_read(struct text *text, const char *path, size_t size_max, const char **why)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    *text = (struct text){0};
    if (file == NULL) {
        *why = "cannot be opened";
        return false;
    }
    char room[16384];
    size_t size;
    while ((size = fread(room, 1, sizeof room, file)) > 0 && text->size <= size_max) {
        text_add_bytes(text, room, size);
    }
    bool failed = ferror(file) != 0;
    if (file != stdin) {
        (void)fclose(file);
    }
    if (failed || text->size > size_max) {
        *why = failed ? "cannot be read" : "is too large";
        text_free(text);
        return false;
    }
    text_add_bytes(text, "", 0);
    return true;
}
