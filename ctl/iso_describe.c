/* iso_describe.c - `ringctl iso describe`: a message as a table for people; `iso diff`: what two
 * messages differ in. Values are masked; nothing here reveals. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/iso_json.h"
#include "iso8583/emv.h"
#include "iso8583/frame.h"
#include "iso8583/mti.h"

#include <stdio.h>
#include <stdlib.h>

struct table {
    const struct iso_dialect *dialect;
    json_t *rows; /* {"field","name","form","value"} */
    char *room;
    bool reveal; /* for comparing only */
};

static void add_row(struct table *table, const char *path, const char *name, const char *form,
                    const char *value)
{
    json_t *row = json_object();
    (void)json_object_set_new(row, "field", json_string(path));
    (void)json_object_set_new(row, "value", json_string(value));
    (void)json_object_set_new(row, "form", json_string(form));
    (void)json_object_set_new(row, "name", json_string(name));
    (void)json_array_append_new(table->rows, row);
}

static void add_value(struct table *table, const char *path, const struct iso_node *node,
                      const struct iso_node *within, uint64_t number, struct span wire,
                      uint32_t count, bool is_whole)
{
    char form[64];
    size_t size;
    const char *name = node->name;
    bool ber = within != NULL && within->composite.tag.is_ber && number <= UINT32_MAX;
    const struct iso_emv_tag *tag = ber ? iso_emv_tag_find((uint32_t)number) : NULL;
    if (name[0] == 0 && tag != NULL) {
        name = tag->name;
    }
    (void)snprintf(form, sizeof form, "%s %u %s", iso_class_text(node->character_class), count,
                   iso_encoding_text(node->encoding));
    bool readable = iso_json_text(table->dialect, node, iso_mask_of(node, within, number), wire,
                                  count, table->reveal, table->room, &size);
    add_row(table, path, name, form, is_whole ? readable ? table->room : "(unreadable)" : "");
}

/* A lazy field may hold what cannot be walked: it is then shown as one value. */
static bool can_be_walked(struct iso_cursor cursor)
{
    struct iso_item item;
    enum iso_walk walk;
    while ((walk = iso_cursor_next(&cursor, &item, NULL)) == ISO_WALK_ITEM) {
    }
    return walk == ISO_WALK_END;
}

static void add_parts(struct table *table, struct iso_cursor *cursor, const char *path,
                      uint32_t depth)
{
    struct iso_item item;
    const struct iso_node *within = cursor->node;
    while (iso_cursor_next(cursor, &item, NULL) == ISO_WALK_ITEM) {
        char inner_path[160];
        struct iso_cursor inner;
        (void)snprintf(inner_path, sizeof inner_path, "%s.%s", path, item.key);
        if (item.kind == ISO_ITEM_PADDING) {
            add_row(table, inner_path, "padding", "", "");
            continue;
        }
        bool composite = item.is_composite && depth < ISO_DEPTH_MAX &&
                         iso_cursor_enter(cursor, &item, &inner) && can_be_walked(inner);
        add_value(table, inner_path, item.node, within, item.number, iso_item_value(cursor, &item),
                  item.at.count, !composite);
        if (composite) {
            add_parts(table, &inner, inner_path, depth + 1);
        }
    }
}

static json_t *rows_of(const struct iso_dialect *dialect, const struct iso_msg *msg, bool reveal)
{
    struct table table = {dialect, json_array(), malloc(ISO_VALUE_TEXT_MAX), reveal};
    char text[2 * ISO_HEADER_BYTES_MAX + 1], number[12];
    must(table.room != NULL);
    struct span header = iso_msg_header(msg);
    if (header.size > 0 && header.size <= ISO_HEADER_BYTES_MAX) {
        bytes_to_hex(header.data, header.size, text);
        add_row(&table, "header", "Header", "", text);
    }
    if (msg->mti[0] != 0) {
        char meaning[96];
        iso_mti_describe(msg->mti, meaning, sizeof meaning);
        (void)snprintf(text, sizeof text, "%.4s", msg->mti);
        add_row(&table, "mti", meaning, "", text);
    }
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de)) {
        struct iso_cursor cursor;
        const struct iso_node *node = iso_dialect_field(dialect, de);
        bool composite = iso_cursor_open(dialect, msg, de, &cursor) && can_be_walked(cursor);
        (void)snprintf(number, sizeof number, "%u", de);
        add_value(&table, number, node, NULL, 0, iso_msg_field(msg, de), msg->fields[de].count,
                  !composite);
        if (composite) {
            add_parts(&table, &cursor, number, 0);
        }
    }
    explicit_bzero(table.room, ISO_VALUE_TEXT_MAX);
    free(table.room);
    return table.rows;
}

/* The message of a hex text; NULL after saying why. The bytes stay until the program ends its
 * command. */
static struct iso_msg *read_message(const struct iso_dialect *dialect, const char *hex,
                                    const char *frame, uint8_t **bytes, struct iso_fault *fault)
{
    size_t room = strlen(hex) / 2 + 1, size;
    struct iso_msg *msg = calloc(1, sizeof *msg);
    *bytes = malloc(room);
    must(msg != NULL && *bytes != NULL);
    if (!bytes_from_hex(hex, strlen(hex), *bytes, room, &size) || size > ISO_MESSAGE_BYTES_MAX) {
        (void)fprintf(stderr, "ringctl: a message is an even number of hexadecimal characters\n");
        free(*bytes);
        free(msg);
        return NULL;
    }
    struct span span = {*bytes, (uint32_t)size};
    struct iso_framing framing;
    struct iso_frame found;
    if (frame != NULL && iso_framing_by_name(frame, &framing) &&
        iso_frame_next(&framing, span, &found) == ISO_FRAME_WHOLE) {
        span = found.message;
    }
    *fault = (struct iso_fault){0};
    (void)!iso_parse(dialect, span, msg, fault);
    return msg;
}

static char *line_of(const struct ctl_iso_options *options, int index)
{
    const char *text = options->rest_count > index ? options->rest[index] : "-";
    char *line = NULL;
    size_t room = 0;
    if (strcmp(text, "-") != 0) {
        line = strdup(text);
    } else if (getline(&line, &room, stdin) < 0) {
        free(line);
        line = strdup("");
    }
    must(line != NULL);
    line[strcspn(line, "\r\n")] = 0;
    return line;
}

static void print_fault(const struct iso_fault *fault)
{
    printf("\nstops at %s, byte %u: %s (%s)\n", fault->path[0] != 0 ? fault->path : "the end",
           fault->offset, fault->text, iso_err_name(fault->code));
    if (fault->cause[0] != 0) {
        printf("likeliest cause: %s\n", fault->cause);
    }
}

/* What validation says of a message that was read well. */
static void print_findings(const struct iso_dialect *dialect, const struct iso_msg *msg)
{
    struct iso_findings *findings = calloc(1, sizeof *findings);
    must(findings != NULL);
    (void)!iso_validate(dialect, msg, NULL, findings);
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct iso_fault *fault = &findings->faults[i];
        if (ctl_globals.json) {
            json_t *row =
                json_pack("{s:{s:s,s:s,s:i,s:s}}", "finding", "code", iso_err_name(fault->code),
                          "field", fault->path, "offset", (int)fault->offset, "text", fault->text);
            char *text = json_dumps(row, JSON_COMPACT);
            printf("%s\n", text != NULL ? text : "{}");
            free(text);
            json_decref(row);
        } else {
            printf("%s%s: %s (%s)\n", i == 0 ? "\n" : "", fault->path, fault->text,
                   iso_err_name(fault->code));
        }
    }
    free(findings);
}

int ctl_iso_describe(int argc, char **argv)
{
    struct ctl_iso_options options;
    struct iso_fault fault;
    uint8_t *bytes;
    if (!ctl_iso_options(argc, argv, &options) || options.dialect == NULL || options.reveal ||
        options.rest_count > 1) {
        (void)fprintf(stderr, "ringctl: iso describe --dialect NAME|FILE [HEX | -]\n");
        return 2;
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.dialect);
    if (dialect == NULL) {
        return 2;
    }
    char *line = line_of(&options, 0);
    struct iso_msg *msg = read_message(dialect, line, options.frame, &bytes, &fault);
    int exit_code = 1;
    if (msg != NULL) {
        json_t *rows = rows_of(dialect, msg, false);
        ctl_print_rows(rows);
        exit_code = !msg->complete;
        if (msg->complete) {
            print_findings(dialect, msg);
        } else if (!ctl_globals.json) {
            print_fault(&fault);
        } else {
            json_t *error = iso_json_fault(&fault, NULL);
            char *text = json_dumps(error, JSON_COMPACT);
            printf("%s\n", text);
            free(text);
            json_decref(error);
        }
        json_decref(rows);
        free(msg);
        free(bytes);
    }
    free(line);
    iso_dialect_free(dialect);
    return exit_code;
}

/* --- diff --- */

static const char *field_of(const json_t *rows, size_t index)
{
    return json_string_value(json_object_get(json_array_get(rows, index), "field"));
}

/* A tag may repeat: which of its rows is this one? */
static uint32_t turn_of(const json_t *rows, size_t index)
{
    uint32_t turn = 0;
    for (size_t i = 0; i < index; i++) {
        turn += strcmp(field_of(rows, i), field_of(rows, index)) == 0;
    }
    return turn;
}

/* The row of this field, or of its second, third … turn. */
static const json_t *row_of(const json_t *rows, const char *field, uint32_t turn)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (strcmp(field_of(rows, i), field) == 0 && turn-- == 0) {
            return json_array_get(rows, i);
        }
    }
    return NULL;
}

static const char *cell(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "(absent)";
}

/* Compared in full, shown masked: full and shown hold the same rows. */
static json_t *differences(json_t *const full[2], json_t *const shown[2])
{
    json_t *out = json_array();
    for (uint32_t side = 0; side < 2; side++) {
        for (size_t i = 0; i < json_array_size(full[side]); i++) {
            const json_t *row = json_array_get(full[side], i);
            const char *field = cell(row, "field");
            uint32_t turn = turn_of(full[side], i);
            const json_t *other = row_of(full[1 - side], field, turn);
            bool same = other != NULL && strcmp(cell(row, "value"), cell(other, "value")) == 0;
            if (same || (side == 1 && other != NULL)) {
                continue;
            }
            (void)json_array_append_new(out,
                                        json_pack("{s:s,s:s,s:s,s:s}", "field", field, "a",
                                                  cell(row_of(shown[0], field, turn), "value"), "b",
                                                  cell(row_of(shown[1], field, turn), "value"),
                                                  "name", cell(row, "name")));
        }
    }
    return out;
}

int ctl_iso_diff(int argc, char **argv)
{
    struct ctl_iso_options options;
    if (!ctl_iso_options(argc, argv, &options) || options.dialect == NULL || options.reveal ||
        options.rest_count != 2) {
        (void)fprintf(stderr, "ringctl: iso diff --dialect NAME|FILE HEX HEX\n");
        return 2;
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.dialect);
    if (dialect == NULL) {
        return 2;
    }
    json_t *full[2] = {NULL, NULL}, *shown[2] = {NULL, NULL};
    int exit_code = 0;
    for (int i = 0; i < 2; i++) {
        struct iso_fault fault;
        uint8_t *bytes;
        char *line = line_of(&options, i);
        struct iso_msg *msg = read_message(dialect, line, options.frame, &bytes, &fault);
        if (msg != NULL) {
            full[i] = rows_of(dialect, msg, true);
            shown[i] = rows_of(dialect, msg, false);
            if (!msg->complete) {
                (void)fprintf(stderr, "message %c stops at %s, byte %u: %s\n", "AB"[i], fault.path,
                              fault.offset, fault.text);
            }
            free(msg);
            free(bytes);
        }
        exit_code = msg == NULL ? 2 : exit_code;
        free(line);
    }
    if (exit_code == 0) {
        json_t *rows = differences(full, shown);
        ctl_print_rows(rows);
        exit_code = json_array_size(rows) > 0;
        json_decref(rows);
    }
    for (int i = 0; i < 2; i++) {
        json_decref(full[i]);
        json_decref(shown[i]);
    }
    iso_dialect_free(dialect);
    return exit_code;
}
