/* import_test.c - specifications of other libraries to dialects; Message JSON there and back. */
#include "ctl/iso_json.h"
#include "ctl/spec.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef bool importer(const char *, size_t, const char *, struct text *, struct iso_report *);

static struct iso_dialect *imported(importer *import, const char *text)
{
    struct iso_report report = {0};
    struct text yaml = {0};
    bool right = import(text, strlen(text), "spec.xml", &yaml, &report);
    cr_assert(right, "%s", report.texts[0]);
    struct iso_dialect *dialect =
        iso_dialect_load_text(yaml.data, yaml.size, "spec.yaml", NULL, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    text_free(&yaml);
    return dialect;
}

static void expect_refused(importer *import, const char *text, uint32_t count, const char *first)
{
    struct iso_report report = {0};
    struct text yaml = {0};
    cr_expect_not(import(text, strlen(text), "spec.xml", &yaml, &report));
    cr_expect_eq(report.count, count, "%u: %s", report.count, report.texts[0]);
    cr_expect_eq(strncmp(report.texts[0], first, strlen(first)), 0, "%s", report.texts[0]);
    text_free(&yaml);
}

/* hex → JSON → hex. */
static void expect_both(const struct iso_dialect *dialect, const char *hex, const char *json)
{
    bool failed;
    uint8_t *out = malloc(ISO_MESSAGE_BYTES_MAX + 4);
    uint32_t size = 0;
    json_t *message = iso_json_decode(dialect, hex, strlen(hex), NULL, true, &failed);
    char *text = json_dumps(message, JSON_COMPACT), again[2048];
    cr_expect_str_eq(text, json);
    json_t *error = iso_json_encode(dialect, text, strlen(text), NULL, out, &size);
    cr_expect_null(error);
    bytes_to_hex(out, size, again);
    cr_expect_str_eq(again, hex);
    json_decref(error);
    json_decref(message);
    free(text);
    free(out);
}

#define HEAD                                                                                       \
    "<isopackager><isofield id=\"0\" length=\"4\" name=\"MTI\" "                                   \
    "class=\"org.jpos.iso.IFA_NUMERIC\"/><isofield id=\"1\" length=\"16\" name=\"MAP\" "           \
    "class=\"org.jpos.iso.IFB_BITMAP \"/>"

Test(jpos, classes_and_nesting)
{
    struct iso_dialect *dialect = imported(
        spec_import_jpos, HEAD
        "<isofield id='3' length='6' name='&lt;PC&gt;' class='org.jpos.iso.IFB_NUMERIC' "
        "pad='true'/>"
        "<isofieldpackager id='48' length='99' name='X' class='org.jpos.iso.IFB_LLHBINARY' "
        "packager='org.jpos.iso.packager.GenericSubFieldPackager' emitBitmap='true' "
        "bitmapField='0'><isofield id='0' length='1' name='M' class='org.jpos.iso.IFB_BITMAP'/>"
        "<isofield id='2' length='3' name='A' class='org.jpos.iso.IFE_CHAR'/>"
        "</isofieldpackager></isopackager>");
    expect_both(dialect,
                "303130302000000000010000123456"
                "0440C1C2C3",
                "{\"mti\":\"0100\",\"fields\":{\"3\":\"123456\",\"48\":{\"2\":\"ABC\"}}}");
    iso_dialect_free(dialect);
}

Test(jpos, refusals_are_located_and_all_told)
{
    expect_refused(spec_import_jpos,
                   HEAD "\n<isofield id='3' length='6' name='x' class='org.acme.Own'/>"
                        "\n <isofield id='4' length='6' name='x' class='org.jpos.iso.IFA_FLLNUM'/>"
                        "</isopackager>",
                   2, "spec.xml:2:1: field 3 of class org.acme.Own");
    expect_refused(spec_import_jpos, "<isopackager>\n<isofield", 1, "spec.xml:2:");
    expect_refused(spec_import_jpos,
                   "<!DOCTYPE isopackager [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
                   "<isopackager>&x;</isopackager>",
                   1, "spec.xml:1:");
}

Test(jpos, entities_do_not_multiply)
{
    struct text text = {0};
    text_add(&text, "<!DOCTYPE isopackager [<!ENTITY a0 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'>");
    for (int i = 1; i < 12; i++) {
        text_add(&text, "<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;&a%d;'>", i,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    text_add(&text, "]><isopackager>&a11;</isopackager>");
    expect_refused(spec_import_jpos, text.data, 1, "spec.xml:1:");
    text_free(&text);
}

Test(moov, fields_and_composites)
{
    struct iso_dialect *dialect = imported(
        spec_import_moov,
        "{\"name\":\"n\",\"fields\":{"
        "\"0\":{\"type\":\"String\",\"length\":4,\"enc\":\"ASCII\",\"prefix\":\"ASCII.Fixed\"},"
        "\"1\":{\"type\":\"Bitmap\",\"length\":8,\"enc\":\"Binary\",\"prefix\":\"Binary.Fixed\"},"
        "\"3\":{\"type\":\"Composite\",\"length\":6,\"prefix\":\"ASCII.Fixed\",\"tag\":{\"sort\":"
        "\"StringsByInt\"},\"subfields\":{\"2\":{\"type\":\"String\",\"length\":2,\"enc\":"
        "\"ASCII\",\"prefix\":\"ASCII.Fixed\"},\"1\":{\"type\":\"String\",\"length\":4,\"enc\":"
        "\"ASCII\",\"prefix\":\"ASCII.Fixed\"}}},"
        "\"55\":{\"type\":\"Composite\",\"length\":255,\"prefix\":\"ASCII.LLL\",\"tag\":{\"enc\":"
        "\"BerTLVTag\",\"sort\":\"StringsByHex\"},\"subfields\":{\"9A\":{\"type\":\"Hex\","
        "\"length\":3,\"enc\":\"Binary\",\"prefix\":\"BerTLV\"}}}}}");
    expect_both(dialect,
                "303130302000000000000200303030303132"
                "3030359A03210720",
                "{\"mti\":\"0100\",\"fields\":{\"3\":{\"1\":\"0000\",\"2\":\"12\"},"
                "\"55\":{\"9A\":\"210720\"}}}");
    iso_dialect_free(dialect);
}

Test(table, refusals_are_located)
{
    expect_refused(spec_import_table,
                   "{\"mti\":\"a 4\",\"bitmap\":\"b8\",\n \"fields\":{\"2\":\"a A2..19\",\n"
                   "  \"3\":\"q 6\", \"4\":\"a Z..4\"}}",
                   2, "spec.xml:3:7: field 3: q 6");
}

Test(json, repeats_padding_and_long_lengths_survive)
{
    const char *yaml = "dialect: t\nfields: {55: {form: LLLVAR b ..255, of: ber}}";
    struct iso_report report = {0};
    struct iso_dialect *dialect =
        iso_dialect_load_text(yaml, strlen(yaml), "t.yaml", NULL, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    expect_both(dialect,
                "303130300000000000000200"
                "303037"
                "9501AA00"
                "9501BB",
                "{\"mti\":\"0100\",\"fields\":{\"55\":[[\"95\",\"AA\"],[\"00\",\"\"],"
                "[\"95\",\"BB\"]]}}");
    expect_both(dialect,
                "303130300000000000000200"
                "303034"
                "958101AA",
                "{\"mti\":\"0100\",\"fields\":{\"55\":{\"95\":\"AA\"}},"
                "\"wire\":{\"55\":[\"958101AA\",4]}}");
    /* A present but empty second bitmap. */
    expect_both(dialect,
                "30313030"
                "8000000000000200"
                "0000000000000000"
                "303033"
                "9501AA",
                "{\"mti\":\"0100\",\"fields\":{\"55\":{\"95\":\"AA\"}},\"bitmaps\":2}");
    iso_dialect_free(dialect);
}

Test(json, what_is_masked)
{
    struct iso_report report = {0};
    bool failed;
    struct iso_dialect *dialect = iso_dialect_by_name("iso87-ascii", RS_DIALECTS, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    const char *hex = "303130304000000000000000"
                      "3136"
                      "34313131313131313131313131313131";
    json_t *message = iso_json_decode(dialect, hex, strlen(hex), NULL, false, &failed);
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(message, "fields"), "2")),
                     "411111******1111");
    json_decref(message);
    iso_dialect_free(dialect);
}
