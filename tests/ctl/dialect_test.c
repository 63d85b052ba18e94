/* dialect_test.c - `ringctl dialect check` and `dialect import`: each fault once, where it stands.
 */
#include "tool.h"

#define AROUND .init = tool_make_folder, .fini = tool_remove_folder, .timeout = 60

static int run_on(const char *command, const char *name, const char *text, char *out,
                  size_t out_size)
{
    char arguments[256];
    tool_write(name, text, strlen(text));
    (void)snprintf(arguments, sizeof arguments, "%s %s", command, name);
    return tool_run(arguments, out, out_size);
}

Test(dialect_check, what_is_well, AROUND)
{
    char out[4096];
    cr_expect_eq(
        run_on("dialect check", "a.yaml", "dialect: a\nfields: {3: n 6}\n", out, sizeof out), 0,
        "%s", out);
    cr_expect_str_eq(out, "a.yaml: well: a\n");
    cr_expect_eq(tool_run("dialect check iso87-ascii a.yaml", out, sizeof out), 0, "%s", out);
    cr_expect_str_eq(out, "iso87-ascii: well: iso87-ascii\na.yaml: well: a\n");
    /* null takes away what the other dialect says: also of its head */
    cr_expect_eq(run_on("dialect check", "b.yaml",
                        "dialect: b\nextends: iso87-ascii\nmac: null\nbitmap: {tertiary: null}\n"
                        "fields: {5: null}\nmessages: {'0800': null}\n",
                        out, sizeof out),
                 0, "%s", out);
}

Test(dialect_check, each_fault_once, AROUND)
{
    char out[4096];
    cr_expect_eq(run_on("dialect check", "a.yaml",
                        "dialect: a\n"
                        "fields:\n"
                        "  3: q 6\n"                        /* both find it */
                        "  4: {form: n 12, rule: golden}\n" /* both */
                        "  5: LVAR n ..19\n"                /* the loader alone */
                        "  6: {form: n 6, group: \"2\"}\n"  /* the schema alone */
                        "messages:\n"
                        "  \"0100\": {mandatory: [3], othres: forbidden}\n", /* both: at the key */
                        out, sizeof out),
                 1);
    cr_expect_str_eq(out, "a.yaml:3:6: no class q\n"
                          "a.yaml:4:25: no value rule golden\n"
                          "a.yaml:5:6: the length prefix cannot say 19\n"
                          "a.yaml:8:28: unknown key othres\n"
                          "a.yaml:6:25: fields.6.group: a value of another type belongs here: "
                          "integer\n");
    cr_expect_eq(run_on("dialect check", "b.yaml", "dialect: b\nfields: [3", out, sizeof out), 1);
    cr_expect_eq(strncmp(out, "b.yaml:3:1: ", 12), 0, "%s", out);
    cr_expect_eq(strchr(out, '\n')[1], 0, "%s", out);
    cr_expect_eq(tool_run("dialect check no-such", out, sizeof out), 1);
    cr_expect_eq(tool_run("dialect check", out, sizeof out), 2);
}

Test(dialect_import, what_is_left_out_is_told, AROUND)
{
    char out[4096];
    const char *xml = "<isopackager>\n"
                      "<isofield id='0' length='4' name='MTI' class='org.jpos.iso.IFA_NUMERIC'/>\n"
                      "<isofield id='1' length='8' name='MAP' class='org.jpos.iso.IFB_BITMAP'/>\n"
                      "<isofield id='3' length='6' name='PC' class='org.jpos.iso.IFA_NUMERIC'>\n"
                      "  <isofieldvalidator class='org.jpos.iso.IVA_NUM'/></isofield>\n"
                      "</isopackager>\n";
    cr_expect_eq(run_on("dialect import --from jpos", "bank.xml", xml, out, sizeof out), 0, "%s",
                 out);
    cr_expect_eq(
        tool_run("dialect import --from jpos bank.xml 2>bank.err >bank.yaml && cat bank.err", out,
                 sizeof out),
        0);
    cr_expect_str_eq(out, "bank.xml:5:3: left out: isofieldvalidator IVA_NUM\n");
    cr_expect_eq(tool_run("dialect check bank.yaml", out, sizeof out), 0, "%s", out);
    cr_expect_str_eq(out, "bank.yaml: well: bank\n");
}
