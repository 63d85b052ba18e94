/* yaml_test.c - what the reader takes, and where it says a fault is. */
#include "conf/yaml.h"
#include "tests/conf/support.h"

static struct conf_tree *read_text(const char *text, struct conf_report *report)
{
    memset(report, 0, sizeof *report);
    return conf_yaml_read(text, strlen(text), "f.yaml", report);
}

Test(yaml, tree_keeps_texts_and_places)
{
    struct conf_report report;
    struct conf_tree *tree = read_text("a: NO\nb:\n  - 05\n  - \"x y\"\nc: {d: 12:30}\n", &report);
    cr_assert_not_null(tree);
    const struct conf_node *root = conf_tree_root(tree);
    cr_assert_eq(root->kind, CONF_MAPPING);
    cr_assert_eq(root->children_count, 3);
    cr_assert_str_eq(conf_node_text(root, "a"), "NO");
    const struct conf_node *b = conf_node_get(root, "b");
    cr_assert_eq(b->kind, CONF_SEQUENCE);
    cr_assert_str_eq(b->first->text, "05");
    cr_assert(b->first->is_plain);
    cr_assert_str_eq(b->first->next->text, "x y");
    cr_assert_not(b->first->next->is_plain);
    cr_assert_eq(b->first->next->place.line, 4);
    cr_assert_eq(b->first->next->place.column, 5);
    cr_assert_eq(b->key_place.line, 2);
    cr_assert_str_eq(conf_node_text(conf_node_get(root, "c"), "d"), "12:30");
    cr_assert_null(conf_node_get(root, "e"));
    cr_assert_null(conf_node_text(root, "b"));
    conf_tree_free(tree);
}

Test(yaml, faults_have_places)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        {"", "f.yaml:1:1: E001 the file is empty"},
        {"a: 1\n\tb: 2\n", "f.yaml:2:1: E001 a tab"},
        {"a: &x 1\n", "f.yaml:1:4: E002 anchors"},
        {"a: 1\nb: *x\n", "f.yaml:2:4: E002 anchors"},
        {"a: !!str 1\n", "f.yaml:1:4: E002 tags"},
        {"a: !t {}\n", "f.yaml:1:4: E002 tags"},
        {"a: &y []\n", "f.yaml:1:4: E002 anchors"},
        {"<<: {b: 1}\n", "f.yaml:1:1: E002 merge"},
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: E003 key \"a\" is given twice"},
        {"a: 1\n--- \nb: 2\n", "f.yaml:2:1: E001 exactly one document"},
        {"%YAML 1.1\n---\na: 1\n", "E002 directives"},
        {"[[[[[[[[[[[[[1]]]]]]]]]]]]]", "f.yaml:1:13: E001 nested deeper"},
        {"{[a]: 1}", "E001 a key must be"},
        {"a: \"x\\0y\"", "E001 a text too long, or with a zero byte"},
        {"a: \"\xC3\x28\"", "f.yaml:1:5: E001 not UTF-8: byte C3"},
        {"a: \xED\xA0\x80", "E001 not UTF-8"},
        {"a: \xC0\x80", "E001 not UTF-8"},
        {"a: \x01", "E001 control character 01"},
        {"a: [1, 2\n", "E001 YAML: "},
        {"a: b: c\n", "E001 YAML: "},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        struct conf_report report;
        struct conf_tree *tree = read_text(rows[i].text, &report);
        cr_expect_null(tree, "row %zu was taken", i);
        cr_expect(report_says(&report, rows[i].line), "row %zu: wanted %s, got %s", i, rows[i].line,
                  report.faults_count > 0 ? report.faults[0].text : "nothing");
    }
}

Test(yaml, size_and_count_are_bounded)
{
    struct conf_report report = {0};
    size_t size = CONF_YAML_BYTES_MAX + 1;
    char *text = malloc(size);
    cr_assert_not_null(text);
    memset(text, ' ', size);
    cr_assert_null(conf_yaml_read(text, size, "f.yaml", &report));
    cr_assert(report_says(&report, "larger than 4 MiB"));
    /* "[,,,": one node each two bytes */
    memset(&report, 0, sizeof report);
    for (size_t i = 0; i + 2 < size; i += 2) {
        memcpy(text + i, "a,", 2);
    }
    text[0] = '[';
    text[1] = 'a';
    text[size - 2] = ']';
    cr_assert_null(conf_yaml_read(text, size - 1, "f.yaml", &report));
    cr_assert(report_says(&report, "too many values"));
    free(text);
}

Test(yaml, a_file_that_is_not_there)
{
    struct conf_report report = {0};
    cr_assert_null(conf_yaml_load("/nonexistent/x.yaml", &report));
    cr_assert(report_says(&report, "/nonexistent/x.yaml: cannot be read: No such file"));
    memset(&report, 0, sizeof report);
    cr_assert_null(conf_yaml_load("/", &report));
    cr_assert(report_says(&report, "cannot be read"));
}
