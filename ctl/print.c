/* print.c - rows for people and for programs; the daemon's socket; a PAN from standard input. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 32u
#define CELL_BYTES  256u

bool ctl_open_daemon(struct ctl_client *client)
{
    char text[256];
    if (ctl_open(client, ctl_globals.socket, text, sizeof text)) {
        return true;
    }
    (void)fprintf(stderr, "ringctl: %s\n", text);
    return false;
}

bool ctl_read_pan(char *out, size_t out_size)
{
    ssize_t size = read(STDIN_FILENO, out, out_size - 1);
    if (size <= 0) {
        (void)fprintf(stderr, "ringctl: no PAN on standard input\n");
        return false;
    }
    out[size] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return true;
}

static void cell_text(const json_t *value, char out[CELL_BYTES])
{
    if (json_is_string(value)) {
        (void)snprintf(out, CELL_BYTES, "%s", json_string_value(value));
    } else if (value == NULL || json_is_null(value)) {
        out[0] = 0;
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)snprintf(out, CELL_BYTES, "%s", text == NULL ? "" : text);
        free(text);
    }
}

static void print_list(json_t *row)
{
    const char *key;
    json_t *value;
    int width = 0;
    json_object_foreach(row, key, value)
    {
        width = (int)strlen(key) > width ? (int)strlen(key) : width;
    }
    json_object_foreach(row, key, value)
    {
        char cell[CELL_BYTES];
        cell_text(value, cell);
        printf("%-*s  %s\n", width, key, cell);
    }
}

/* Characters, not bytes: UTF-8. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != 0; text++) {
        width += ((unsigned char)*text & 0xC0u) != 0x80u;
    }
    return width;
}

static bool is_among(const char *const *keys, uint32_t count, const char *key)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(keys[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static void print_table(const json_t *rows)
{
    const char *keys[COLUMNS_MAX];
    int widths[COLUMNS_MAX];
    uint32_t count = 0;
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_object_foreach(json_array_get(rows, i), key, value)
        {
            if (count < COLUMNS_MAX && !is_among(keys, count, key)) {
                widths[count] = (int)strlen(key);
                keys[count++] = key;
            }
        }
    }
    char cell[CELL_BYTES];
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (uint32_t k = 0; k < count; k++) {
            cell_text(json_object_get(json_array_get(rows, i), keys[k]), cell);
            widths[k] = width_of(cell) > widths[k] ? width_of(cell) : widths[k];
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        printf("%-*s%s", k + 1 == count ? 0 : widths[k] + 2, keys[k], k + 1 == count ? "\n" : "");
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        for (uint32_t k = 0; k < count; k++) {
            value = json_object_get(json_array_get(rows, i), keys[k]);
            cell_text(value, cell);
            int fill = widths[k] - width_of(cell);
            if (json_is_number(value)) {
                printf("%*s%s%s", fill, "", cell, k + 1 == count ? "" : "  ");
            } else {
                printf("%s%*s", cell, k + 1 == count ? 0 : fill + 2, "");
            }
        }
        printf("\n");
    }
}

void ctl_print_rows(const json_t *rows)
{
    size_t count = json_array_size(rows);
    if (ctl_globals.json) {
        for (size_t i = 0; i < count; i++) {
            char *text = json_dumps(json_array_get(rows, i), JSON_COMPACT);
            printf("%s\n", text == NULL ? "{}" : text);
            free(text);
        }
    } else if (count == 1) {
        print_list(json_array_get(rows, 0));
    } else if (count > 1) {
        print_table(rows);
    }
}
