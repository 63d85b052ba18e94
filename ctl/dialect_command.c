/* dialect_command.c - `ringctl dialect`: list, show, check, diff, import, export. */
#include "ctl/ctl.h"
#include "ctl/iso.h"
#include "ctl/spec.h"
#include "ctl/spec_yaml.h"
#include "iso8583/schema.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *text)
{
    (void)fprintf(stderr, "ringctl: %s\n", text);
    return 2;
}

/* What an importer has left out stands in comments in front of the dialect. */
static void print_remarks(const struct text *yaml)
{
    for (const char *line = yaml->data; line != NULL && strncmp(line, "# ", 2) == 0;) {
        const char *end = strchr(line, '\n');
        int size = (int)(end != NULL ? end - line : (ptrdiff_t)strlen(line)) - 2;
        (void)fprintf(stderr, "%.*s\n", size, line + 2);
        line = end != NULL ? end + 1 : NULL;
    }
}

int ctl_dialect_import(int argc, char **argv)
{
    static const struct {
        const char *name;
        bool (*import)(const char *, size_t, const char *, struct text *, struct iso_report *);
    } kinds[] = {
        {"table", spec_import_table}, {"jpos", spec_import_jpos}, {"moov", spec_import_moov}};
    struct ctl_iso_options options;
    size_t kind = 0;
    if (!ctl_iso_options(argc, argv, &options)) {
        return 2;
    }
    while (kind < countof(kinds) && options.from != NULL &&
           strcmp(kinds[kind].name, options.from) != 0) {
        kind++;
    }
    if (options.from == NULL || kind == countof(kinds) || options.rest_count != 1) {
        return usage("dialect import --from jpos|moov|table FILE");
    }
    const char *file = options.rest[0], *why;
    struct text text, yaml = {0};
    if (!text_read(&text, file, SPEC_BYTES_MAX, &why)) {
        (void)fprintf(stderr, "%s: %s\n", file, why);
        return 2;
    }
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    bool imported = kinds[kind].import(text.data, text.size, file, &yaml, report);
    if (imported) {
        print_remarks(&yaml);
        (void)fwrite(yaml.data, 1, yaml.size, stdout);
    } else {
        ctl_report_print(report);
    }
    text_free(&yaml);
    text_free(&text);
    free(report);
    return fflush(stdout) != 0 ? 2 : !imported;
}

int ctl_dialect_export(int argc, char **argv)
{
    struct ctl_iso_options options;
    if (!ctl_iso_options(argc, argv, &options)) {
        return 2;
    }
    bool jpos = options.to != NULL && strcmp(options.to, "jpos") == 0;
    bool moov = options.to != NULL && strcmp(options.to, "moov") == 0;
    if ((!jpos && !moov) || options.rest_count != 1) {
        return usage("dialect export --to jpos|moov NAME");
    }
    struct iso_dialect *dialect = ctl_dialect_load(options.rest[0]);
    if (dialect == NULL) {
        return 2;
    }
    struct iso_report *report = calloc(1, sizeof *report);
    struct text out = {0};
    must(report != NULL);
    bool exported =
        jpos ? spec_export_jpos(dialect, &out, report) : spec_export_moov(dialect, &out, report);
    if (exported) {
        (void)fwrite(out.data, 1, out.size, stdout);
    } else {
        ctl_report_print(report);
    }
    text_free(&out);
    free(report);
    iso_dialect_free(dialect);
    return fflush(stdout) != 0 ? 2 : !exported;
}

/* "FILE:LINE:COL" in front of a fault. */
static bool is_same_place(const char *a, const char *b)
{
    const char *end = strstr(a, ": ");
    return end != NULL && strncmp(a, b, (size_t)(end - a) + 1) == 0;
}

/* What the schema finds where the loader found nothing. False: the file cannot be read. */
static bool hold_against_schema(const struct text *schema, const char *schema_path,
                                const char *path, struct iso_report *report)
{
    struct iso_report *more = calloc(1, sizeof *more);
    struct text text;
    const char *why;
    must(more != NULL);
    if (!text_read(&text, path, SPEC_BYTES_MAX, &why)) {
        free(more);
        iso_report_add(report, path, 0, 0, "%s", why);
        return false;
    }
    struct iso_source rules = {schema->data, schema->size, schema_path};
    struct iso_source file = {text.data, text.size, path};
    (void)!iso_schema_check(&rules, &file, more);
    uint32_t before = report->count;
    for (uint32_t i = 0; i < more->count; i++) {
        bool is_known = report->count == ISO_REPORT_MAX;
        for (uint32_t j = 0; j < before; j++) {
            is_known = is_known || is_same_place(more->texts[i], report->texts[j]);
        }
        if (!is_known) {
            memcpy(report->texts[report->count++], more->texts[i], sizeof more->texts[i]);
        }
    }
    text_free(&text);
    free(more);
    return true;
}

/* What the loader says, and what the schema says that editors use, if there is one. */
static bool check_one(const char *name, const struct text *schema, const char *schema_path)
{
    struct iso_report *report = calloc(1, sizeof *report);
    char path[2048];
    must(report != NULL);
    struct iso_dialect *dialect = ctl_dialect_read(name, report);
    bool right = (schema->data == NULL || !ctl_dialect_file(name, ".yaml", path) ||
                  hold_against_schema(schema, schema_path, path, report)) &&
                 dialect != NULL && report->count == 0;
    if (right) {
        printf("%s: well: %s\n", name, iso_dialect_name(dialect));
    } else {
        ctl_report_print(report);
    }
    iso_dialect_free(dialect);
    free(report);
    return right;
}

int ctl_dialect_check(int argc, char **argv)
{
    static const char schema_name[] = "dialect.schema.json";
    struct text schema = {0};
    char path[2048];
    const char *why;
    if (argc < 2) {
        return usage("dialect check FILE...");
    }
    if (!ctl_dialect_file(schema_name, "", path) ||
        !text_read(&schema, path, SPEC_BYTES_MAX, &why)) {
        (void)fprintf(stderr, "ringctl: no %s in %s: the loader checks alone\n", schema_name,
                      ctl_dialect_directories());
        schema = (struct text){0};
    }
    bool right = true;
    for (int i = 1; i < argc; i++) {
        right = check_one(argv[i], &schema, path) && right;
    }
    text_free(&schema);
    return !right;
}

int ctl_dialect_show(int argc, char **argv)
{
    if (argc != 2) {
        return usage("dialect show NAME");
    }
    struct iso_dialect *dialect = ctl_dialect_load(argv[1]);
    if (dialect == NULL) {
        return 2;
    }
    struct text out = {0};
    spec_yaml(dialect, &out);
    (void)fwrite(out.data, 1, out.size, stdout);
    text_free(&out);
    iso_dialect_free(dialect);
    return fflush(stdout) != 0 ? 2 : 0;
}

static int is_dialect_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);
    return size > 5 && strcmp(entry->d_name + size - 5, ".yaml") == 0;
}

uint32_t ctl_dialects_load(struct iso_dialect **out, uint32_t out_max)
{
    char directory[1024];
    uint32_t used = 0;
    for (const char *from = ctl_dialect_directories(); *from != 0 && used == 0;) {
        struct dirent **entries;
        size_t size = strcspn(from, ":");
        (void)snprintf(directory, sizeof directory, "%.*s", (int)size, from);
        int count = scandir(directory, &entries, is_dialect_file, alphasort);
        for (int i = 0; i < count; i++) {
            char path[2048];
            (void)snprintf(path, sizeof path, "%s/%s", directory, entries[i]->d_name);
            struct iso_dialect *dialect = used < out_max ? ctl_dialect_load(path) : NULL;
            if (dialect != NULL) {
                out[used++] = dialect;
            }
            free(entries[i]);
        }
        if (count >= 0) {
            free(entries);
        }
        from += size + (from[size] == ':');
    }
    return used;
}

int ctl_dialect_list(int argc, char **argv)
{
    struct iso_dialect *dialects[256];
    (void)argv;
    if (argc != 1) {
        return usage("dialect list");
    }
    json_t *rows = json_array();
    uint32_t count = ctl_dialects_load(dialects, countof(dialects));
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s}", "dialect",
                                                    iso_dialect_name(dialects[i]), "title",
                                                    iso_dialect_title(dialects[i]), "valid_from",
                                                    iso_dialect_valid_from(dialects[i]), "note",
                                                    iso_dialect_note(dialects[i])));
        iso_dialect_free(dialects[i]);
    }
    ctl_print_rows(rows);
    json_decref(rows);
    return count == 0;
}

/* The next line of a text, ended; NULL at its end. */
static char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (*line == 0) {
        return NULL;
    }
    *text = end != NULL ? end + 1 : line + strlen(line);
    if (end != NULL) {
        *end = 0;
    }
    return line;
}

/* Both texts have a line for each thing; those of one kind are in one order. */
int ctl_dialect_diff(int argc, char **argv)
{
    if (argc != 3) {
        return usage("dialect diff A B");
    }
    struct iso_dialect *dialects[2] = {ctl_dialect_load(argv[1]), ctl_dialect_load(argv[2])};
    bool differs = false;
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX && dialects[0] != NULL && dialects[1] != NULL;
         de++) {
        struct text texts[2] = {0};
        for (uint32_t i = 0; i < 2; i++) {
            const struct iso_node *node = iso_dialect_field(dialects[i], de);
            text_add(&texts[i], "%s", "");
            if (node != NULL) {
                spec_yaml_node(node, &texts[i]);
            }
        }
        if (strcmp(texts[0].data, texts[1].data) != 0) {
            differs = true;
            printf("field %u%s\n", de,
                   texts[0].size == 0   ? " is new"
                   : texts[1].size == 0 ? " is gone"
                                        : "");
            for (uint32_t i = 0; i < 2; i++) {
                if (texts[i].size > 0) {
                    printf("  %c %s\n", "-+"[i], texts[i].data);
                }
            }
        }
        text_free(&texts[0]);
        text_free(&texts[1]);
    }
    int exit_code = dialects[0] == NULL || dialects[1] == NULL ? 2 : 0;
    struct text heads[2] = {0};
    for (uint32_t i = 0; i < 2 && exit_code == 0; i++) {
        spec_yaml_head(dialects[i], &heads[i]);
        spec_yaml_messages(dialects[i], &heads[i]);
    }
    if (exit_code == 0 && strcmp(heads[0].data, heads[1].data) != 0) {
        differs = true;
        char *at[2] = {heads[0].data, heads[1].data};
        for (char *line; (line = next_line(&at[0])) != NULL;) {
            char *other = next_line(&at[1]);
            if (other == NULL || strcmp(line, other) != 0) {
                printf("  - %s\n  + %s\n", line, other != NULL ? other : "");
            }
            if (other == NULL) {
                break;
            }
        }
        for (char *line; (line = next_line(&at[1])) != NULL;) {
            printf("  + %s\n", line);
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        text_free(&heads[i]);
        iso_dialect_free(dialects[i]);
    }
    return exit_code != 0 ? exit_code : differs;
}
