/* vectors_test.c - published messages, where they are at hand, through the tool itself: the spec
 * by `dialect import --from table`, the message by `iso decode` and `iso encode`.
 *
 * RS_VECTORS names the folder with iso8583.json; else the one beside the checkout is looked at. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char folder[64];

static json_t *load_entries(void)
{
    const char *from = getenv("RS_VECTORS");
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/iso8583.json", from != NULL ? from : RS_VECTORS_BESIDE);
    return json_load_file(path, 0, NULL);
}

static void make_folder(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/ringctl-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    static const char *const names[] = {"spec.json", "dialect.yaml", "in", "out"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fprintf(file, "%s\n", text);
    (void)fclose(file);
}

/* Runs the tool within the folder; its exit code, and the first line that it printed. */
static int run(const char *arguments, char *line, size_t line_size)
{
    char command[1024];
    (void)snprintf(command, sizeof command, "cd %s && %s %s", folder, RS_RINGCTL, arguments);
    FILE *pipe = popen(command, "r");
    cr_assert_not_null(pipe);
    line[0] = 0;
    if (fgets(line, (int)line_size, pipe) == NULL) {
        line[0] = 0;
    }
    line[strcspn(line, "\n")] = 0;
    char rest[4096];
    while (fread(rest, 1, sizeof rest, pipe) > 0) {
    }
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The fields of an entry as Message JSON. */
static json_t *message_of(json_t *entry)
{
    json_t *fields = json_deep_copy(json_object_get(entry, "fields")), *out = json_object();
    const char *header = json_string_value(json_object_get(fields, "h"));
    if (header != NULL) {
        const char *form =
            json_string_value(json_object_get(json_object_get(entry, "spec"), "header"));
        char hex[256] = "";
        if (strlen(header) == strtoul(strchr(form, ' ') + 1, NULL, 10)) {
            for (size_t i = 0; header[i] != 0; i++) {
                (void)snprintf(hex + 2 * i, 3, "%02X", (unsigned char)header[i]);
            }
        } else {
            (void)snprintf(hex, sizeof hex, "%s", header);
        }
        (void)json_object_set_new(out, "header", json_string(hex));
        (void)json_object_del(fields, "h");
    }
    (void)json_object_set(out, "mti", json_object_get(fields, "0"));
    (void)json_object_del(fields, "0");
    (void)json_object_set_new(out, "fields", fields);
    return out;
}

static bool check_message(json_t *entry, const char *id)
{
    static char line[1 << 18], again[1 << 18];
    const char *hex = json_string_value(json_object_get(entry, "hex"));
    json_t *want = message_of(entry);
    int exit_code = run("iso decode --dialect dialect.yaml --reveal - <in", line, sizeof line);
    json_t *got = json_loads(line, 0, NULL);
    bool right =
        exit_code == 0 && json_equal(json_object_get(got, "mti"), json_object_get(want, "mti"));
    right = right && json_equal(json_object_get(got, "fields"), json_object_get(want, "fields"));
    cr_expect(right, "%s: %s", id, line);
    write_file("out", line);
    exit_code = run("iso encode --dialect dialect.yaml - <out", again, sizeof again);
    /* A lower-case hexadecimal bitmap comes out in capitals, at the same length. */
    bool same = exit_code == 0 && strlen(again) == strlen(hex);
    if (json_array_size(json_object_get(entry, "use")) == 2) {
        same = same && strcasecmp(again, hex) == 0;
        char *text = json_dumps(want, JSON_COMPACT);
        write_file("out", text);
        free(text);
        exit_code = run("iso encode --dialect dialect.yaml - <out", again, sizeof again);
        same = same && exit_code == 0 && strcasecmp(again, hex) == 0;
    }
    cr_expect(same, "%s: %s", id, again);
    json_decref(got);
    json_decref(want);
    return right && same;
}

Test(ringctl_vectors, messages, .init = make_folder, .fini = remove_folder, .timeout = 300)
{
    static char line[1 << 18];
    json_t *entries = load_entries(), *entry;
    size_t index, passed = 0, count = 0;
    if (entries == NULL) {
        cr_skip_test("no vectors: RS_VECTORS is not set and none lie beside the checkout");
    }
    json_array_foreach(entries, index, entry)
    {
        const char *id = json_string_value(json_object_get(entry, "id"));
        const char *kind = json_string_value(json_object_get(entry, "kind"));
        bool negative = strcmp(kind, "negative") == 0;
        if (!negative && strcmp(kind, "message") != 0) {
            continue;
        }
        count++;
        char *spec = json_dumps(json_object_get(entry, "spec"), 0);
        write_file("spec.json", spec);
        free(spec);
        int exit_code =
            run("dialect import --from table spec.json >dialect.yaml", line, sizeof line);
        cr_expect_eq(exit_code, 0, "%s: import", id);
        write_file("in", json_string_value(json_object_get(entry, "hex")));
        if (negative) {
            exit_code = run("iso decode --dialect dialect.yaml - <in", line, sizeof line);
            json_t *got = json_loads(line, 0, NULL);
            bool refused = exit_code == 1 && json_object_get(got, "error") != NULL;
            cr_expect(refused, "%s: %s", id, line);
            passed += refused;
            json_decref(got);
        } else {
            passed += check_message(entry, id);
        }
    }
    cr_log_info("%zu of %zu entries passed", passed, count);
    cr_expect_gt(count, 100);
    json_decref(entries);
}
