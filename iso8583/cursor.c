/* cursor.c - walking a composite's sub-structure, as deep as it goes.
 *
 * DESIGN  item_read() moves over one item and formats nothing: parse.c uses it to check structure
 * at speed. iso_cursor_next() adds the key's text and, on a fault, the path. Nesting is followed
 * with a stack of ISO_DEPTH_MAX cursors, never by recursion. */
#include "iso8583/item.h"

#include <stdio.h>
#include <stdlib.h>

/* --- whole composites --- */

bool cursor_descend(const struct iso_cursor *cursor, const struct iso_item *item,
                    struct iso_cursor *inner)
{
    if (!item->is_composite || cursor->depth + 1u >= ISO_DEPTH_MAX)
        return false;
    /* A constructed BER object that the dialect does not describe has the forms of what holds it.
     */
    const struct iso_node *node =
        item->node->composite.kind != ISO_COMPOSITE_NONE ? item->node : cursor->node;
    cursor_start(inner, cursor->dialect, cursor->frame, node, &item->at, cursor->de);
    inner->depth = (uint8_t)(cursor->depth + 1);
    if (node == cursor->node)
        inner->child = node->composite.lead_count;
    return true;
}

static void key_text(const struct iso_cursor *cursor, const struct iso_item *item, char *out,
                     size_t out_size)
{
    const struct iso_composite *composite = &cursor->node->composite;
    if (item->kind == ISO_ITEM_PADDING) {
        (void)snprintf(out, out_size, "%02X", (unsigned)item->number);
    } else if (item->node == cursor->node) { /* a sub-bitmap's unknown number */
        (void)snprintf(out, out_size, "%u", (unsigned)item->number);
    } else if (item->kind == ISO_ITEM_CHILD) {
        (void)snprintf(out, out_size, "%s", item->node->key);
    } else if (composite->tag.is_ber) {
        int digits = item->number > 0xFFFFFF ? 8
                     : item->number > 0xFFFF ? 6
                     : item->number > 0xFF   ? 4
                                             : 2;
        (void)snprintf(out, out_size, "%0*llX", digits, (unsigned long long)item->number);
    } else if (encoding_is_single_byte(composite->tag.encoding)) {
        uint32_t size = composite->tag.width;
        for (uint32_t i = 0; i < size && i + 1 < out_size; i++)
            out[i] = (char)(item->number >> (8 * (size - 1 - i)) & 0xFF);
        out[size < out_size ? size : out_size - 1] = '\0';
    } else {
        int digits = composite->tag.encoding == ISO_ENC_PACKED ? composite->tag.width
                                                               : composite->tag.width * 2;
        (void)snprintf(out, out_size, "%0*llX", digits, (unsigned long long)item->number);
    }
}

static void path_append(char path[ISO_PATH_BYTES], const char *key)
{
    size_t have = strlen(path), more = strlen(key);
    if (have + 1 + more + 1 > ISO_PATH_BYTES)
        return;
    path[have] = '.';
    memcpy(path + have + 1, key, more + 1);
}

/* Both passes of a composite: without a path (parse.c), and once more with it when something is
 * wrong. */
static enum iso_err walk_all(const struct iso_dialect *dialect, const uint8_t *frame,
                             const struct iso_node *node, const struct iso_field *at,
                             struct problem *problem, char *path)
{
    struct iso_cursor stack[ISO_DEPTH_MAX];
    struct iso_item items[ISO_DEPTH_MAX];
    uint32_t depth = 0;
    cursor_start(&stack[0], dialect, frame, node, at, 0);
    for (;;) {
        enum iso_walk walk = item_read(&stack[depth], &items[depth], problem);
        if (walk == ISO_WALK_END) {
            if (depth == 0)
                return ISO_OK;
            depth--;
            continue;
        }
        const struct iso_item *item = &items[depth];
        bool look_inside = walk == ISO_WALK_ITEM &&
                           item->node->composite.kind != ISO_COMPOSITE_NONE &&
                           !item->node->composite.lazy;
        /* The loader bounds how deep composites nest; see load_composite(). */
        must(!look_inside ||
             (depth + 1 < ISO_DEPTH_MAX && cursor_descend(&stack[depth], item, &stack[depth + 1])));
        if (walk == ISO_WALK_FAULT) {
            for (uint32_t i = 0; path != NULL && i <= depth; i++) {
                char key[sizeof(items[i].key)];
                if (items[i].node == NULL)
                    break;
                key_text(&stack[i], &items[i], key, sizeof(key));
                path_append(path, key);
            }
            return problem->code;
        }
        depth += look_inside;
    }
}

enum iso_err composite_check(const struct iso_dialect *dialect, const uint8_t *frame,
                             const struct iso_node *node, const struct iso_field *at,
                             struct problem *problem)
{
    return walk_all(dialect, frame, node, at, problem, NULL);
}

void composite_path(const struct iso_dialect *dialect, const uint8_t *frame,
                    const struct iso_node *node, const struct iso_field *at, uint32_t de,
                    const struct problem *problem, char path[ISO_PATH_BYTES])
{
    struct problem again;
    (void)snprintf(path, ISO_PATH_BYTES, "%u", de);
    enum iso_err err = walk_all(dialect, frame, node, at, &again, path);
    must(err == problem->code);
}

/* --- public --- */

bool iso_cursor_open(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                     struct iso_cursor *cursor)
{
    const struct iso_node *node = iso_dialect_field(dialect, de);
    if (node == NULL || node->composite.kind == ISO_COMPOSITE_NONE || !iso_msg_has(msg, de))
        return false;
    cursor_start(cursor, dialect, msg->frame, node, &msg->fields[de], de);
    (void)snprintf(cursor->path, sizeof(cursor->path), "%u", de);
    return true;
}

enum iso_walk iso_cursor_next(struct iso_cursor *cursor, struct iso_item *item,
                              struct iso_fault *fault)
{
    struct problem problem;
    struct iso_cursor before = *cursor;
    enum iso_walk walk = item_read(cursor, item, &problem);
    item->key[0] = '\0';
    if (walk != ISO_WALK_END && item->node != NULL)
        key_text(cursor, item, item->key, sizeof(item->key));
    if (walk == ISO_WALK_FAULT) {
        *cursor = before;
        if (fault != NULL) {
            char path[ISO_PATH_BYTES];
            memcpy(path, cursor->path, sizeof(path));
            if (item->key[0] != '\0')
                path_append(path, item->key);
            fault_fill(fault, cursor->de, path, &problem);
        }
    }
    return walk;
}

bool iso_cursor_enter(const struct iso_cursor *cursor, const struct iso_item *item,
                      struct iso_cursor *inner)
{
    struct iso_cursor from = *cursor; /* inner may be cursor itself */
    if (!cursor_descend(&from, item, inner))
        return false;
    memcpy(inner->path, from.path, sizeof(inner->path));
    path_append(inner->path, item->key);
    return true;
}

bool iso_msg_find(const struct iso_dialect *dialect, const struct iso_msg *msg, const char *path,
                  struct iso_item *item)
{
    char *rest;
    unsigned long de = strtoul(path, &rest, 10);
    struct iso_cursor cursor;
    if (*rest != '.' || de < 2 || de > ISO_FIELDS_MAX ||
        !iso_cursor_open(dialect, msg, (uint32_t)de, &cursor))
        return false;
    for (uint32_t depth = 0; depth < ISO_DEPTH_MAX; depth++) {
        const char *key = rest + 1, *dot = strchr(key, '.');
        size_t size = dot != NULL ? (size_t)(dot - key) : strlen(key);
        do {
            if (iso_cursor_next(&cursor, item, NULL) != ISO_WALK_ITEM)
                return false;
        } while (strlen(item->key) != size || memcmp(item->key, key, size) != 0);
        if (dot == NULL)
            return true;
        rest += 1 + size;
        if (!iso_cursor_enter(&cursor, item, &cursor))
            return false;
    }
    return false;
}

void iso_spread_start(struct iso_spread *spread, const struct iso_dialect *dialect,
                      const struct iso_msg *msg)
{
    spread->msg = msg;
    spread->cursor.dialect = dialect;
    spread->index = 0;
    spread->is_open = false;
}

enum iso_walk iso_spread_next(struct iso_spread *spread, struct iso_item *item,
                              struct iso_fault *fault)
{
    const uint16_t *fields = spread->cursor.dialect->spread;
    for (;;) {
        if (spread->is_open) {
            enum iso_walk walk = iso_cursor_next(&spread->cursor, item, fault);
            if (walk != ISO_WALK_END)
                return walk;
        }
        uint16_t de = fields[spread->index];
        if (de == 0)
            return ISO_WALK_END;
        spread->index++;
        spread->is_open = iso_cursor_open(spread->cursor.dialect, spread->msg, de, &spread->cursor);
    }
}
