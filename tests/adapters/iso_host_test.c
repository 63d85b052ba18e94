/* iso_host_test.c - messages of ours to a host, its answers, and what is kept to say it again. */
#include "adapters/adapter.h"

#include <criterion/criterion.h>
#include <string.h>

static struct iso_dialect *dialect_of(const char *name)
{
    struct iso_report report = {.count = 0};
    struct iso_dialect *dialect = iso_dialect_by_name(name, RS_DIALECTS, &report);
    cr_assert(dialect != NULL, "%s", report.texts[0]);
    return dialect;
}

static uint32_t request(const struct iso_dialect *dialect, uint8_t *out, struct iso_msg *msg)
{
    static const struct {
        uint8_t de;
        const char *value;
    } fields[] = {{2, "4000010000000019"},
                  {3, "000000"},
                  {4, "000000010000"},
                  {7, "1121030000"},
                  {11, "000001"},
                  {22, "012"},
                  {32, "123456"},
                  {33, "777777"},
                  {35, "4000010000000019=30122010000000000"},
                  {41, "TERM0001"},
                  {42, "MERCHANT0000001"},
                  {48, "9203025"},
                  {49, "398"},
                  {52, "\1\2\3\4\5\6\7\10"},
                  {53, "2001010100000000"}};
    struct iso_draft draft;
    iso_draft_init(&draft, "0201");
    for (uint32_t i = 0; i < countof(fields); i++) {
        iso_draft_text(&draft, fields[i].de, fields[i].value, (uint32_t)strlen(fields[i].value));
    }
    struct iso_layout layout;
    struct iso_fault fault;
    cr_assert_eq(iso_build(dialect, &draft, out, 1024, &layout, &fault), ISO_OK, "%s", fault.text);
    cr_assert_eq(iso_parse(dialect, (struct span){out, layout.size}, msg, &fault), ISO_OK, "%s",
                 fault.text);
    return layout.size;
}

static void check(const struct iso_dialect *dialect, const struct iso_msg *msg, uint32_t de,
                  const char *value)
{
    char text[256];
    size_t size = 0;
    bool is_there = iso_msg_text(dialect, msg, de, text, sizeof text - 1, &size);
    text[is_there ? size : 0] = 0;
    cr_assert_str_eq(text, value, "DE%u", de);
}

Test(adapter, rows)
{
    cr_assert_eq(adapter_by_name("iso-host"), adapter_at(ADAPTER_ISO_HOST));
    cr_assert_null(adapter_by_name("iso-hos"));
    cr_assert_eq(adapter_at(ADAPTER_ISO_HOST)->silence, LEDGER_SILENCE_REVERSAL);
    cr_assert_eq(adapter_at(ADAPTER_ISO_HOST)->reversal_mti, 420);
    cr_assert_eq(strlen(adapter_at(ADAPTER_ISO_HOST)->technical) % 2, 0);
}

Test(iso_host, the_forwarded_leg)
{
    struct iso_dialect *dialect = dialect_of("iso87-ascii");
    struct iso_dialect *copy = dialect_of("iso87-ascii"); /* another object: values pass as text */
    const struct iso_dialect *targets[] = {dialect, copy};
    uint8_t frame[1024], out[1024];
    struct iso_msg msg, sent;
    (void)request(dialect, frame, &msg);
    for (uint32_t i = 0; i < 2; i++) {
        struct adapter_leg leg = {.de7 = 102030405,
                                  .stan = 42,
                                  .institution = "990001",
                                  .rrn = (const uint8_t *)"632503000009"};
        uint32_t size;
        cr_assert_eq(adapter_request_build(dialect, &msg, targets[i], &leg, out, sizeof out, &size),
                     ISO_OK);
        cr_assert_eq(iso_parse(dialect, (struct span){out, size}, &sent, NULL), ISO_OK);
        cr_assert_eq(memcmp(sent.mti, "0200", 4), 0);
        check(dialect, &sent, 2, "4000010000000019");
        check(dialect, &sent, 7, "0102030405");
        check(dialect, &sent, 11, "000042");
        check(dialect, &sent, 32, "123456");
        check(dialect, &sent, 33, "990001");
        check(dialect, &sent, 35, "4000010000000019=30122010000000000");
        check(dialect, &sent, 37, "632503000009");
        check(dialect, &sent, 48, "9203025");
        cr_assert_not(iso_msg_has(&sent, 52));
        cr_assert_not(iso_msg_has(&sent, 53));
        cr_assert_eq(adapter_request_build(dialect, &msg, targets[i], &leg, out, 40, &size),
                     ISO_NO_ROOM);
    }
    iso_dialect_free(copy);
    iso_dialect_free(dialect);
}

Test(iso_host, what_is_kept_is_said_again)
{
    struct iso_dialect *dialect = dialect_of("iso87-ascii");
    uint8_t frame[1024], out[1024];
    struct iso_msg msg, sent;
    (void)request(dialect, frame, &msg);
    struct ledger_saf_item item = {.mti = 420,
                                   .original_mti = 200,
                                   .stan = 77,
                                   .original_stan = 42,
                                   .de7 = 1121030010,
                                   .original_de7 = 1121030001,
                                   .original_de32 = 123456,
                                   .amount_minor = 10000,
                                   .sends_count = 1,
                                   .is_reversal = 1};
    memset(item.rrn, ' ', sizeof item.rrn);
    cr_assert(adapter_relay_fill(dialect, &msg, &item.relay));
    cr_assert(memmem(item.relay.fields, item.relay.size, "4000010", 7) == NULL);
    cr_assert(memmem(item.relay.fields, item.relay.size, "9203025", 7) == NULL);
    struct span pan = {(const uint8_t *)"4000010000000019", 16};
    uint32_t size;
    cr_assert_eq(adapter_stored_build(&item, dialect, pan, "990001", out, sizeof out, &size),
                 ISO_OK);
    cr_assert_eq(iso_parse(dialect, (struct span){out, size}, &sent, NULL), ISO_OK);
    cr_assert_eq(memcmp(sent.mti, "0420", 4), 0);
    check(dialect, &sent, 2, "4000010000000019");
    check(dialect, &sent, 22, "012");
    check(dialect, &sent, 37, "");
    check(dialect, &sent, 42, "MERCHANT0000001");
    check(dialect, &sent, 90, "020000004211210300010000012345600000990001");
    item.sends_count = 3;
    cr_assert_eq(adapter_stored_build(&item, dialect, pan, "990001", out, sizeof out, &size),
                 ISO_OK);
    cr_assert_eq(memcmp(out, "0421", 4), 0);
    item.relay.fields[1] = 255; /* broken: nothing is said */
    item.relay.size = 10;
    cr_assert_neq(adapter_stored_build(&item, dialect, pan, "990001", out, sizeof out, &size),
                  ISO_OK);
    iso_dialect_free(dialect);
}

Test(iso_host, network_messages)
{
    struct iso_dialect *dialect = dialect_of("iso87-ascii");
    uint8_t out[256];
    uint32_t size;
    struct iso_msg sent;
    struct adapter_leg leg = {.de7 = 1121030000, .stan = 5, .institution = ""};
    cr_assert_eq(adapter_network_build(dialect, 301, &leg, out, sizeof out, &size), ISO_OK);
    cr_assert_eq(iso_parse(dialect, (struct span){out, size}, &sent, NULL), ISO_OK);
    cr_assert_eq(memcmp(sent.mti, "0800", 4), 0);
    check(dialect, &sent, 70, "301");
    check(dialect, &sent, 33, "");
    iso_dialect_free(dialect);
}
