/* emv_test.c - chip data, tracks, message types. */
#include "support.h"

Test(emv, table_is_ordered_and_named)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < iso_emv_tag_count(); i++) {
        const struct iso_emv_tag *tag = iso_emv_tag_at(i);
        cr_assert_gt(tag->tag, before);
        cr_assert_eq(iso_emv_tag_find(tag->tag), tag);
        cr_assert_gt(strlen(tag->name), 2);
        before = tag->tag;
    }
    cr_assert_str_eq(iso_emv_tag_find(0x9F26)->name, "Application cryptogram");
    cr_assert_eq(iso_emv_tag_find(0x57)->mask, ISO_MASK_TRACK);
    cr_assert_null(iso_emv_tag_find(0x9F99));
    cr_assert_null(iso_emv_tag_at(iso_emv_tag_count()));
}

Test(emv, find_looks_into_templates)
{
    struct bytes data = bytes_of("00 82023900 700A 71049F360200 01 FF 9A01 02 9F26020304");
    struct span value;
    cr_assert(iso_tlv_find(span_of(&data), 0x82, &value));
    cr_assert_eq(value.size, 2);
    struct bytes nested = bytes_of("7007 7105 9F36020001");
    cr_assert(iso_tlv_find(span_of(&nested), 0x9F36, &value));
    expect_bytes(value.data, value.size, "0001");
    cr_assert_not(iso_tlv_find(span_of(&nested), 0x9F37, &value));
}

Test(emv, tracks)
{
    static const struct {
        const char *text, *pan, *expiry, *service, *rest;
    } tracks[] = {
        {"9900010000000019=301220114022130", "9900010000000019", "3012", "201", "14022130"},
        {"4242424242424242D25121011234567890", "4242424242424242", "2512", "101", "1234567890"},
        {"4242424242424242==1234", "4242424242424242", "", "", NULL},
        {"4242424242424242==123", "4242424242424242", "", "123", ""},
        {"4242424242424242=2512=99", "4242424242424242", "2512", "", "99"},
        {"4242424242424242", NULL, NULL, NULL, NULL},
        {"4242424=25121011234567890", NULL, NULL, NULL, NULL},
        {"4242424242424242=251", NULL, NULL, NULL, NULL},
        {"4242424242424242=2512101A", NULL, NULL, NULL, NULL},
        {"", NULL, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < countof(tracks); i++) {
        struct iso_track2 track;
        struct span text = {(const uint8_t *)tracks[i].text, (uint32_t)strlen(tracks[i].text)};
        enum iso_err err = iso_track2_parse(text, &track);
        bool good = tracks[i].pan != NULL && tracks[i].rest != NULL;
        if (i == 2) { /* no expiry, no service code, then data that is read as the service code */
            cr_assert_eq(err, ISO_OK);
            continue;
        }
        cr_assert_eq(err, good ? ISO_OK : ISO_TRACK, "%s", tracks[i].text);
        if (!good)
            continue;
        const struct span parts[] = {track.pan, track.expiry, track.service_code,
                                     track.discretionary};
        const char *const wants[] = {tracks[i].pan, tracks[i].expiry, tracks[i].service,
                                     tracks[i].rest};
        for (uint32_t j = 0; j < 4; j++)
            cr_assert(parts[j].size == strlen(wants[j]) &&
                          memcmp(parts[j].data, wants[j], parts[j].size) == 0,
                      "%s part %u", tracks[i].text, j);
    }
    struct iso_track1 track1;
    const char *text = "B4242424242424242^DOE/JANE^25121011234567890";
    cr_assert_eq(
        iso_track1_parse((struct span){(const uint8_t *)text, (uint32_t)strlen(text)}, &track1),
        ISO_OK);
    cr_assert_eq(track1.format, 'B');
    cr_assert_eq(track1.name.size, 8);
    cr_assert_eq(memcmp(track1.expiry.data, "2512", 4), 0);
    static const char *const wrong[] = {"b4242424242424242^A^2512101", "B42^A^2512101",
                                        "B4242424242424242^A", "B4242424242424242 A^2512101", "B"};
    for (size_t i = 0; i < countof(wrong); i++)
        cr_assert_eq(
            iso_track1_parse((struct span){(const uint8_t *)wrong[i], (uint32_t)strlen(wrong[i])},
                             &track1),
            ISO_TRACK, "%s", wrong[i]);
}

Test(mti, classes_and_answers)
{
    static const struct {
        const char *mti, *answer, *text;
    } rows[] = {
        {"0100", "0110", "ISO 8583:1987 authorization request"},
        {"0101", "0110", "ISO 8583:1987 authorization request, repeat"},
        {"0420", "0430", "ISO 8583:1987 reversal advice"},
        {"0421", "0430", "ISO 8583:1987 reversal advice, repeat"},
        {"1804", "1810", "ISO 8583:1993 network management request"},
        {"2200", "2210", "ISO 8583:2003 financial request"},
        {"0810", NULL, "ISO 8583:1987 network management request response"},
        {"9100", "9110", "ISO 8583:national or private authorization request"},
        {"01A0", NULL, "no message type"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        char answer[5] = "", text[96];
        cr_assert_eq(iso_mti_response(rows[i].mti, answer), rows[i].answer != NULL, "%s",
                     rows[i].mti);
        if (rows[i].answer != NULL)
            cr_assert_str_eq(answer, rows[i].answer);
        iso_mti_describe(rows[i].mti, text, sizeof(text));
        cr_assert_str_eq(text, rows[i].text);
    }
    cr_assert(iso_mti_is_response("0810") && !iso_mti_is_request("0810"));
    cr_assert(iso_mti_is_repeat("0421") && iso_mti_is_advice("0421") &&
              iso_mti_is_reversal("0421"));
    cr_assert(iso_mti_is_network("0800") && !iso_mti_is_network("0100"));
}
