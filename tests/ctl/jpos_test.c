/* jpos_test.c - field classes and packagers of jPOS: what each makes of bytes that are known from
 * its definition, there and back; what is refused, and why. */
#include "ctl/iso_json.h"
#include "ctl/spec.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define HEAD                                                                                       \
    "<isopackager><isofield id='0' length='4' name='MTI' class='org.jpos.iso.IFA_NUMERIC'/>"       \
    "<isofield id='1' length='16' name='MAP' class='org.jpos.iso.IFB_BITMAP'/>\n"
#define FIELD(id, length, class, more)                                                             \
    "<isofield id='" #id "' length='" #length "' name='x' class='org.jpos.iso." class "' " more "/>"
#define INSIDE(class, packager, more)                                                              \
    "<isofieldpackager id='48' length='900' name='x' class='org.jpos.iso." class "' "              \
                                                                                 "packager='org."  \
                                                                                 "jpos.iso."       \
                                                                                 "packager"        \
                                                                                 "." packager      \
                                                                                 "' " more ">"
#define END "</isofieldpackager>"

/* Field 48 alone in a message: its definition, its bytes, its value as JSON. */
static const struct {
    const char *field, *hex, *value;
} known[] = {
    {FIELD(48, 19, "IFEB_LLNUM", ""), "F1F0 4111111111111111115F", "\"4111111111111111115\""},
    {FIELD(48, 19, "IFEB_LLNUM", "pad='true'"), "F0F2 4111", "\"4111\""},
    {FIELD(48, 19, "IFEB_LLLNUM", ""), "F0F0F2 123F", "\"123\""},
    {FIELD(48, 11, "IFA_LLBNUM", ""), "3034 1234", "\"1234\""},
    {FIELD(48, 11, "IFA_LLBNUM", "pad='true'"), "3132 001234567890", "\"001234567890\""},
    {FIELD(48, 99, "IFE_LLLEBINARY", ""), "F0F0F3 C1C2C3", "\"ABC\""},
    {INSIDE("IFB_LLHBINARY", "GenericSubFieldPackager", "emitBitmap='false' firstField='0'")
         FIELD(0, 8, "IFB_BITMAP", "") FIELD(1, 1, "IF_CHAR", "") END,
     "09 8000000000000000 41", "{\"0\":\"8000000000000000\",\"1\":\"A\"}"},
    /* bit 1 is part 1, and the map has eight bytes whatever its length says */
    {INSIDE("IFB_LLHBINARY", "Base1SubFieldPackager", "")
         FIELD(0, 16, "packager.Base1_BITMAP126", "") FIELD(1, 2, "IFE_CHAR", "")
             FIELD(10, 3, "IFE_CHAR", "") END,
     "0D 8040000000000000 C1C2 F1F2F3", "{\"1\":\"AB\",\"10\":\"123\"}"},
    {INSIDE("IFB_LLHBINARY", "Base1SubFieldPackager", "") FIELD(0, 1, "IFE_CHAR", "")
         FIELD(1, 4, "IFB_NUMERIC", "pad='true'") FIELD(2, 1, "IFE_CHAR", "") END,
     "03 C1 1234", "{\"0\":\"A\",\"1\":\"1234\"}"},
    {INSIDE("IFA_LLLBINARY", "CTCSubFieldPackager", "") FIELD(0, 2, "IFA_NUMERIC", "")
         FIELD(1, 3, "IFA_NUMERIC", "") END,
     "303035 3132333435", "{\"0\":\"12\",\"1\":\"345\"}"},
    /* tag, length, value; field 0 before them */
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(0, 1, "IF_CHAR", "")
         FIELD(26, 9, "IFMC_LLCHAR", "") FIELD(44, 9, "IFMC_LLBINARY", "") END,
     "303133 52 3236 3033 414243 3434 3031 FF", "{\"0\":\"R\",\"26\":\"ABC\",\"44\":\"FF\"}"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(5, 9, "IFMC_LLLCHAR", "")
         FIELD(44, 9, "IFMC_LLLBINARY", "") END,
     "303134 3035 303033 414243 3434 303031 FF", "{\"05\":\"ABC\",\"44\":\"FF\"}"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(26, 9, "IFEMC_LLCHAR", "") END,
     "303037 3236 F0F3 C1C2C3", "{\"26\":\"ABC\"}"},
    {INSIDE("IFE_LLLBINARY", "MasterCardEBCDICSubFieldPackager", "") FIELD(0, 1, "IFE_CHAR", "")
         FIELD(26, 9, "IFEPE_LLCHAR", "") FIELD(44, 9, "IFEPE_LLBINARY", "") END,
     "F0F1F3 D9 F2F6 F0F3 C1C2C3 F4F4 F0F1 FF", "{\"0\":\"R\",\"26\":\"ABC\",\"44\":\"FF\"}"},
#define MAPPED(mapper, tag, length)                                                                \
    INSIDE("IFA_LLLBINARY", "GenericTaggedFieldsPackager",                                         \
           "tagMapper='org.jpos.iso.packager." mapper "' tagSize='" #tag "' lenSize='" #length     \
           "'")
    {MAPPED("TTDecimalTagMapper", 2, 1) FIELD(7, 9, "IFA_TTLCHAR", "")
         FIELD(12, 9, "IFA_TTLBINARY", "") END,
     "303039 3037 32 4142 3132 31 FF", "{\"07\":\"AB\",\"12\":\"FF\"}"},
    {MAPPED("TTDecimalTagMapper", 2, 2) FIELD(7, 9, "IFA_TTLLCHAR", "")
         FIELD(12, 9, "IFA_TTLLBINARY", "") END,
     "303131 3037 3032 4142 3132 3031 FF", "{\"07\":\"AB\",\"12\":\"FF\"}"},
    {MAPPED("TTDecimalTagMapper", 2, 3) FIELD(7, 9, "IFA_TTLLLCHAR", "")
         FIELD(12, 9, "IFA_TTLLLBINARY", "") END,
     "303133 3037 303032 4142 3132 303031 FF", "{\"07\":\"AB\",\"12\":\"FF\"}"},
    {MAPPED("TTDecimalTagMapper", 2, 4) FIELD(7, 9, "IFA_TTLLLLCHAR", "")
         FIELD(12, 9, "IFA_TTLLLLBINARY", "") END,
     "303135 3037 30303032 4142 3132 30303031 FF", "{\"07\":\"AB\",\"12\":\"FF\"}"},
    {MAPPED("TTTDecimalTagMapper", 3, 3) FIELD(7, 9, "IFA_TTTLLLCHAR", "") END,
     "303038 303037 303032 4142", "{\"007\":\"AB\"}"},
    /* datasets: element 2 is bit 3, bit 16 says that TLV follows; up to 70 they hold TLV */
    {INSIDE("IFB_LLLLBINARY", "DatasetPackager", "") FIELD(2, 9, "IFB_LLCHAR", "") END,
     "0019 71 0009 2001 02 4142 9F020101 01 0004 9F360105",
     "{\"71\":{\"3\":\"AB\",\"16\":\"\",\"rest\":{\"9F02\":\"01\"}},\"01\":{\"9F36\":\"05\"}}"},
    {INSIDE("IFB_LLLLBINARY", "DatasetPackager", "") END, "0007 70 0004 9F360105",
     "{\"70\":{\"9F36\":\"05\"}}"},
    {INSIDE("IFB_LLLLBINARY", "ICCDataPackager", "") END, "0004 9F360105", "{\"9F36\":\"05\"}"},
    {INSIDE("IFE_LLLBINARY", "GenericPackager",
            "emitBitmap='true' bitmapField='0' firstField='0' headerLength='1'")
         FIELD(0, 2, "IFE_BITMAP", "") FIELD(1, 3, "IFE_CHAR", "") FIELD(7, 1, "IFE_CHAR", "") END,
     "F0F0F9 41 F8F2F0F0 C1C2C3 E7", "{\"header\":\"41\",\"fields\":{\"1\":\"ABC\",\"7\":\"X\"}}"},
};

/* The text of the dialect that the definitions become; NULL with the report. */
static bool import(const char *fields, struct text *yaml, struct iso_report *report)
{
    struct text xml = {0};
    text_add(&xml, HEAD "%s</isopackager>", fields);
    bool right = spec_import_jpos(xml.data, xml.size, "spec.xml", yaml, report);
    text_free(&xml);
    return right;
}

static struct iso_dialect *imported(const char *fields)
{
    struct iso_report report = {0};
    struct text yaml = {0};
    cr_assert(import(fields, &yaml, &report), "%s\n%s", report.texts[0], yaml.data);
    struct iso_dialect *dialect =
        iso_dialect_load_text(yaml.data, yaml.size, "spec.yaml", NULL, &report);
    cr_assert_not_null(dialect, "%s", report.texts[0]);
    text_free(&yaml);
    return dialect;
}

Test(jpos_classes, bytes_there_and_back)
{
    for (size_t i = 0; i < countof(known); i++) {
        struct iso_dialect *dialect = imported(known[i].field);
        char hex[512] = "303130300000000000010000", want[512], again[1024];
        size_t used = strlen(hex);
        for (const char *c = known[i].hex; *c != 0; c++) {
            hex[used] = *c;
            used += *c != ' ';
        }
        hex[used] = 0;
        (void)snprintf(want, sizeof want, "{\"mti\":\"0100\",\"fields\":{\"48\":%s}}",
                       known[i].value);
        bool failed;
        json_t *message = iso_json_decode(dialect, hex, used, NULL, true, &failed);
        char *text = json_dumps(message, JSON_COMPACT);
        cr_expect_str_eq(text, want, "%s: %s", known[i].field, text);
        uint8_t *out = malloc(ISO_MESSAGE_BYTES_MAX + 4);
        uint32_t size = 0;
        json_t *error = iso_json_encode(dialect, text, strlen(text), NULL, out, &size);
        cr_expect_null(error, "%s", known[i].field);
        cr_assert_lt(size, sizeof again / 2);
        bytes_to_hex(out, size, again);
        cr_expect_str_eq(again, hex, "%s: %s", known[i].field, again);
        json_decref(error);
        json_decref(message);
        free(text);
        free(out);
        iso_dialect_free(dialect);
    }
}

/* A tag that the packager has no field for is a fault there, too. */
Test(jpos_classes, a_tag_without_a_field)
{
    struct iso_dialect *dialect = imported(INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "")
                                               FIELD(26, 9, "IFMC_LLCHAR", "") END);
    const char *hex = "303130300000000000010000"
                      "303035"
                      "3237303141";
    bool failed;
    json_t *answer = iso_json_decode(dialect, hex, strlen(hex), NULL, true, &failed);
    cr_assert(failed);
    cr_expect_str_eq(json_string_value(json_object_get(json_object_get(answer, "error"), "code")),
                     "tag_unknown");
    json_decref(answer);
    iso_dialect_free(dialect);
}

static const struct {
    const char *field, *said;
} refused[] = {
    {FIELD(48, 9, "IFA_FLLCHAR", ""), "field 48 of class IFA_FLLCHAR: it is filled up"},
    {FIELD(48, 9, "IFEP_LLLBINARY", ""), "field 48 of class IFEP_LLLBINARY: its length stands"},
    {FIELD(48, 9, "IF_TCHAR", ""), "ends with a token"},
    {FIELD(48, 9, "IFMC_LLCHAR", ""), "field 48 of class IFMC_LLCHAR: its packager does not read"},
    {FIELD(48, 8, "IFB_BITMAP", ""), "field 48 of class IFB_BITMAP: a bitmap of its own"},
    {INSIDE("IFA_LLLBINARY", "CTCSubElementPackager", "") END,
     "the packager packager.CTCSubElementPackager cannot be expressed"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(1, 9, "IFEP_LLCHAR", "") END,
     "field 1 of class IFEP_LLCHAR: its length stands before its tag"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(0, 1, "IFMC_TCC", "")
         FIELD(1, 9, "IFMC_LLCHAR", "") END,
     "field 0 of class IFMC_TCC: it may be absent"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(1, 9, "IFEPE_LLCHAR", "") END,
     "field 1 of class IFEPE_LLCHAR: its tag is written in another way"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(1, 9, "IFMC_LLCHAR", "")
         FIELD(2, 9, "IFMC_LLLCHAR", "") END,
     "field 2 of class IFMC_LLLCHAR: its length is written in another way"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(1, 9, "IF_CHAR", "") END,
     "field 1 of class IF_CHAR: a part without a tag"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(100, 9, "IFMC_LLCHAR", "") END,
     "field 100 of class IFMC_LLCHAR: its number is longer than its tag"},
    {INSIDE("IFA_LLLBINARY", "EuroSubFieldPackager", "") FIELD(0, 1, "IF_CHAR", "") END,
     "field 48 of class IFA_LLLBINARY: it has no parts"},
    {INSIDE("IFA_LLLBINARY", "GenericTaggedFieldsPackager", "tagMapper='com.bank.Own'")
         FIELD(1, 9, "IFA_TTLLCHAR", "") END,
     "its tagMapper cannot be expressed"},
    {MAPPED("TTDecimalTagMapper", 3, 2) FIELD(1, 9, "IFA_TTLLCHAR", "") END, "tagSize is not"},
    {INSIDE("IFA_LLLBINARY", "GenericTaggedFieldsPackager",
            "tagMapper='org.jpos.iso.packager.TTDecimalTagMapper' tagSize='2' swapTagAndLen='true'")
         FIELD(1, 9, "IFA_TTLLCHAR", "") END,
     "lengths before tags"},
    {INSIDE("IFB_LLLLBINARY", "DatasetPackager", "") FIELD(15, 9, "IFB_LLCHAR", "") END,
     "field 15 of class IFB_LLCHAR: an element beyond 14"},
    {INSIDE("IFB_LLHBINARY", "GenericSubFieldPackager", "") FIELD(1, 9, "IFB_LLHNUM", "") END,
     "field 1 of class IFB_LLHNUM: emitBitmap, but"},
};

Test(jpos_classes, what_is_refused_says_why_and_where)
{
    for (size_t i = 0; i < countof(refused); i++) {
        struct iso_report report = {0};
        struct text yaml = {0};
        cr_expect_not(import(refused[i].field, &yaml, &report), "%s", refused[i].field);
        cr_expect_eq(report.count, 1, "%s: %s", refused[i].field, report.texts[0]);
        cr_expect(strncmp(report.texts[0], "spec.xml:2:", 11) == 0 &&
                      strstr(report.texts[0], refused[i].said) != NULL,
                  "%s: %s", refused[i].field, report.texts[0]);
        text_free(&yaml);
    }
}

Test(jpos_classes, validators_are_left_out_and_told)
{
    struct iso_report report = {0};
    struct text yaml = {0};
    const char *fields =
        "<isofield id='3' length='6' name='x' class='org.jpos.iso.IFA_NUMERIC'>\n"
        "<isofieldvalidator class='org.jpos.iso.IVA_NUM'><property name='a' value='b'/>"
        "</isofieldvalidator></isofield>"
        "<isovalidator class='org.jpos.iso.validator.TEST'/>";
    cr_assert(import(fields, &yaml, &report), "%s", report.texts[0]);
    cr_expect_not_null(strstr(yaml.data, "# spec.xml:3:1: left out: isofieldvalidator IVA_NUM\n"),
                       "%s", yaml.data);
    cr_expect_not_null(strstr(yaml.data, "left out: isovalidator validator.TEST\n"), "%s",
                       yaml.data);
    text_free(&yaml);
}
