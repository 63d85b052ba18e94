/* straight_test.c - the straight lines of parse.c and build.c say what the careful ones say: for
 * every byte of every field, for values that are right, wrong, short, long, or without room. Values
 * and buffers have exactly their size, so that a sanitizer sees whatever goes beyond. */
#include "iso8583/line.h"
#include "random.h"

static const char *const shipped[] = {
    "iso87-ascii",  "iso87-ascii-hex", "iso87-binary", "iso87-ebcdic",   "iso93-ascii",
    "iso93-binary", "iso2003-binary",  "visa-base1",   "mastercard-cis", "mastercard-cis-ascii",
    "base24",       "postilion",       "smartvista",   "way4",           "mastercard-ipm"};

static struct pool pool;

/* --- runs --- */

static bool is_wrong(const struct range *range, uint8_t c)
{
    uint8_t folded = c | range->fold[0];
    if (range->kind == RANGE_PACKED)
        return c >> 4 > 9 || (c & 15) > 9;
    bool met = (uint8_t)(c - range->low[0]) <= range->span[0] ||
               (uint8_t)(folded - range->low_folded[0]) <= range->span_folded[0] ||
               c == range->extra[0];
    return met != (range->right[0] != 0);
}

/* Fills with bytes that are right, but for one of half the runs. Is it wrong? */
static bool fill_run(const struct range *range, uint64_t *state, uint8_t *data, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        do {
            data[i] = (uint8_t)random_below(state, 256);
        } while (is_wrong(range, data[i]));
    }
    if (size == 0 || random_below(state, 2) == 0)
        return false;
    uint8_t *one = &data[random_below(state, size)];
    *one = (uint8_t)random_below(state, 256);
    return is_wrong(range, *one);
}

static void try_run(const struct range *range, uint64_t *state, uint32_t size)
{
    uint32_t before = 16 + random_below(state, 40), behind = random_below(state, 2) * 20;
    uint32_t data_size = before + size + behind;
    uint8_t *data = malloc(data_size), *copy = malloc(size + 1);
    memset(data, 0xFF, data_size);
    bool want = fill_run(range, state, data + before, size);
    cr_assert_eq(check_run_plain(range, data, data_size, before, size), want, "%u", size);
    if (run_is_wide())
        cr_assert_eq(check_run_wide(range, data, data_size, before, size), want, "%u", size);
    for (uint32_t wide = 0; size >= LINE_LONG && wide <= run_is_wide(); wide++) {
        memset(copy, 0, size + 1);
        cr_assert_eq((wide ? copy_long_wide : copy_long_plain)(range, copy, data + before, size),
                     want);
        cr_assert(memcmp(copy, data + before, size) == 0 && copy[size] == 0);
    }
    free(data);
    free(copy);
}

Test(straight, runs_alike_in_every_width)
{
    struct iso_dialect *dialect = dialect_shipped("iso87-ascii");
    uint64_t state = 7;
    for (uint32_t row = 0; row < RANGES_MAX; row++) {
        const struct range *range = &dialect->ranges[row];
        if (range->kind == RANGE_ALL && row != CHECK_NONE)
            break;
        for (uint32_t size = 0; size < 280; size++)
            for (uint32_t i = 0; i < 4; i++)
                try_run(range, &state, size < 200 ? size : size * 3);
    }
    iso_dialect_free(dialect);
}

/* --- reading --- */

/* Every field that the dialect has, small. */
static void draft_all(const struct iso_dialect *dialect, struct iso_draft *draft)
{
    static uint8_t out[ISO_MESSAGE_BYTES_MAX];
    pool.bytes_used = pool.parts_used = 0;
    iso_draft_init(draft, "0100");
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        const struct iso_node *node = iso_dialect_field(dialect, de);
        struct iso_value value;
        size_t size;
        for (uint32_t i = 0; node != NULL && !iso_draft_has(draft, de) && i < 20; i++) {
            random_value(&pool, node, 20, 0, 0, &value);
            if (iso_build_value(dialect, node, &value, out, sizeof(out), &size, NULL) != ISO_OK)
                continue;
            iso_draft_text(draft, de, value.data, value.size);
            draft->values[de] = value;
        }
    }
}

static void expect_alike(const struct iso_dialect *dialect, struct span frame, uint32_t at)
{
    static struct iso_msg straight, careful;
    enum iso_err err = iso_parse(dialect, frame, &straight, NULL);
    cr_assert_eq(err, iso_parse_checked(dialect, frame, &careful, NULL), "%s at %u: %02X",
                 iso_dialect_name(dialect), at, frame.data[at]);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(straight.present[i], careful.present[i]);
    for (uint32_t de = iso_msg_next(&straight, 0); de != 0; de = iso_msg_next(&straight, de))
        cr_assert_eq(memcmp(&straight.fields[de], &careful.fields[de], sizeof(struct iso_field)), 0,
                     "%s DE %u, %02X at %u", iso_dialect_name(dialect), de, frame.data[at], at);
}

Test(straight, every_byte_is_judged_alike, .timeout = 300)
{
    static struct iso_draft draft;
    static uint8_t out[ISO_MESSAGE_BYTES_MAX];
    static const uint8_t others[] = {0x00, 0x7F, 0x99, 0xA0, 0xFF, 'D', ':'};
    for (uint32_t i = 0; i < countof(shipped); i++) {
        struct iso_dialect *dialect = dialect_shipped(shipped[i]);
        struct iso_layout layout;
        struct iso_fault fault = {0};
        pool.state = i;
        draft_all(dialect, &draft);
        cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK,
                     "%s %s %s", shipped[i], fault.path, fault.text);
        uint8_t *frame = malloc(layout.size);
        memcpy(frame, out, layout.size);
        for (uint32_t at = 0; at < layout.size; at++) {
            for (uint32_t bit = 0; bit < 8; bit++) {
                frame[at] = (uint8_t)(out[at] ^ 1u << bit);
                expect_alike(dialect, (struct span){frame, layout.size}, at);
            }
            for (uint32_t other = 0; other < countof(others); other++) {
                frame[at] = others[other];
                expect_alike(dialect, (struct span){frame, layout.size}, at);
            }
            frame[at] = out[at];
        }
        free(frame);
        iso_dialect_free(dialect);
    }
}

/* The ranges of the straight line say the same as the class tables of the interpreter. */
Test(straight, ranges_and_classes_agree)
{
    static const char *const forms[] = {"any", "ans", "n", "an", "a", "z", "hex", "ns", "as"};
    for (size_t i = 0; i < countof(forms); i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "dialect: t\nfields: {3: {form: %s 4, pad: none}}\n",
                       forms[i]);
        struct iso_dialect *dialect = dialect_text(text);
        cr_assert_eq(dialect->ops[3].kind, OP_TEXT, "%s", forms[i]);
        bool letters = forms[i][0] == 'a' && forms[i][1] != 'n';
        for (uint32_t c = 0; c < 256; c++) {
            struct bytes frame = bytes_of(letters ? "'0100' 2000000000000000 'AAAA'"
                                                  : "'0100' 2000000000000000 '0000'");
            frame.data[15] = (uint8_t)c;
            expect_alike(dialect, span_of(&frame), 15);
        }
        iso_dialect_free(dialect);
    }
}

/* Counts beyond their bounds, with all their bytes; what stands before a length; groups. */
Test(straight, counts_are_judged_alike)
{
    static const struct {
        const char *form, *value;
    } cases[] = {
        {"LLVAR n 3..5", "'0311111'"}, /* left over */
        {"LLVAR n 3..5", "'06111111'"},
        {"LLVAR n 3..5", "'0211'"},
        {"LLVAR n 3..5", "'04111'"},
        {"LLVAR n 3..5", "'0'"},
        {"LLLVAR ans ..20", "'0:1A'"},
        {"LLLVAR ans ..20", "'021AAAAAAAAAAAAAAAAAAAAA'"},
        {"LLVAR an ..8, group: 4", "'04AAAA'"},
        {"LLVAR an ..8, group: 4", "'05AAAAA'"},
        {"VAR b ..300, length: binary 2", "0002 FFFF"},
        {"VAR b ..300, length: binary 2", "0100 FFFF"},
        {"VAR b ..1, length: binary 1", "02 FFFF"},
        {"VAR n ..5, encoding: packed, filler: right 0, length: packed 2", "05 111110"},
        {"VAR n ..5, encoding: packed, filler: right 0, length: packed 2", "05 111111"},
        {"VAR n ..5, encoding: packed, filler: right 0, length: packed 2", "06 111111"},
        {"VAR n ..5, encoding: packed, filler: left 0, length: packed 2", "03 0111"},
        {"VAR n ..5, encoding: packed, filler: left 0, length: packed 2", "03 1111"},
        {"VAR n ..5, encoding: packed, filler: left 0, length: packed 2", "0F 0111"},
        {"VAR ans ..99, length: packed 3", "0001 41"},
        {"VAR ans ..99, length: packed 3", "1001 41"},
        {"VAR n ..9, length: ascii 1", "'211'"},
        {"VAR n ..9999, length: ascii 4", "'000211'"},
        {"VAR n ..9, encoding: ebcdic037, length: ebcdic 2", "F0F2 F1F1"},
        {"VAR n ..9, encoding: ebcdic037, length: ebcdic 2", "F032 F1F1"},
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "dialect: t\nfields: {3: {form: %s}}\n", cases[i].form);
        struct iso_dialect *dialect = dialect_text(text);
        cr_assert_neq(dialect->ops[3].take, TAKE_CALL, "%s", cases[i].form);
        (void)snprintf(text, sizeof(text), "'0100' 2000000000000000 %s", cases[i].value);
        struct bytes whole = bytes_of(text);
        for (uint32_t size = 12; size <= whole.size; size++) {
            uint8_t *frame = malloc(size);
            memcpy(frame, whole.data, size);
            expect_alike(dialect, (struct span){frame, size}, size - 1);
            free(frame);
        }
        iso_dialect_free(dialect);
    }
}

/* What a form is made of: a slower way is not wrong, so that nothing else would notice. */
Test(straight, forms_and_their_ops)
{
    static const struct {
        const char *form;
        enum op_take take;
        enum op_put put;
        bool joins, follows;
    } cases[] = {
        {"n 6", TAKE_FIXED, PUT_TEXT_4, true, true},
        {"an 2", TAKE_FIXED, PUT_TEXT_1, true, true},
        {"ans 15", TAKE_FIXED, PUT_TEXT_8, true, true},
        {"b 8", TAKE_FIXED, PUT_TEXT_8, true, true},
        {"ans 40", TAKE_FIXED, PUT_OTHER, true, true},
        {"n 4, encoding: packed, filler: left 0", TAKE_FIXED, PUT_PACKED_2, true, true},
        {"n 3, encoding: packed, filler: left 0", TAKE_FIXED, PUT_PACKED_3, true, false},
        {"n 8, encoding: packed, filler: left 0", TAKE_FIXED, PUT_PACKED_4, true, true},
        {"n 12, encoding: packed, filler: left 0", TAKE_FIXED, PUT_PACKED_8, true, true},
        {"x+n 8, encoding: packed", TAKE_FIXED, PUT_SIGNED_8, true, false},
        {"x+n 8", TAKE_FIXED, PUT_OTHER, false, false},
        {"LLVAR n ..11", TAKE_BYTES, PUT_BYTES, true, false},
        {"LLLVAR ans ..99", TAKE_BYTES, PUT_BYTES, true, false},
        {"LLVAR a ..9", TAKE_BYTES, PUT_BYTES, false, false},
        {"VAR ans ..99, length: packed 3", TAKE_BYTES, PUT_BYTES, false, false},
        {"VAR b ..99, length: packed 3", TAKE_BYTES, PUT_BYTES, true, false},
        {"VAR b ..99, length: binary 1", TAKE_BYTES, PUT_BYTES, true, false},
        {"VAR n ..9, encoding: packed, filler: right 0, length: packed 2", TAKE_DIGITS, PUT_DIGITS,
         true, false},
        {"VAR n ..9, encoding: packed, filler: right 0, length: binary 1", TAKE_DIGITS, PUT_DIGITS,
         false, false},
        {"LLVAR an ..8, group: 4", TAKE_OTHER, PUT_OTHER, true, false},
        {"LLLVAR b ..255, of: ber", TAKE_OTHER, PUT_BYTES, true, false},
        {"ans 4, encoding: utf8", TAKE_CALL, PUT_CALL, true, false},
    };
    for (size_t i = 0; i < countof(cases); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "dialect: t\nfields: {3: {form: %s}}\n", cases[i].form);
        struct iso_dialect *dialect = dialect_text(text);
        const struct op *op = &dialect->ops[3];
        cr_assert_eq(op->take, cases[i].take, "%s: %u", cases[i].form, op->take);
        cr_assert_eq(op->put, cases[i].put, "%s: %u", cases[i].form, op->put);
        cr_assert_eq(op->joins, cases[i].joins ? op->check : CHECKS_APART, "%s", cases[i].form);
        cr_assert_eq(op->follows, cases[i].follows ? op->check : CHECKS_APART, "%s", cases[i].form);
        iso_dialect_free(dialect);
    }
}

/* --- building --- */

/* One field in a message against the field alone: the same bytes, or the same fault. */
static void expect_built_alike(const struct iso_dialect *dialect, uint32_t de,
                               const struct iso_value *value)
{
    static struct iso_draft draft;
    static uint8_t alone[ISO_MESSAGE_BYTES_MAX], message[ISO_MESSAGE_BYTES_MAX];
    const struct iso_node *node = iso_dialect_field(dialect, de);
    struct iso_layout layout;
    struct iso_value exact = *value;
    uint8_t *data = NULL;
    size_t size = 0;
    if (value->form != ISO_FORM_PARTS && value->size > 0) {
        exact.data = data = malloc(value->size);
        memcpy(data, value->data, value->size);
    }
    iso_draft_init(&draft, "0100");
    iso_draft_text(&draft, de, exact.data, exact.size);
    draft.values[de] = exact;
    enum iso_err want = iso_build_value(dialect, node, &exact, alone, sizeof(alone), &size, NULL);
    enum iso_err err = iso_build(dialect, &draft, message, sizeof(message), &layout, NULL);
    cr_assert_eq(err, want, "%s DE %u form %u size %u", iso_dialect_name(dialect), de, value->form,
                 value->size);
    if (err == ISO_OK) {
        cr_assert(layout.size > size && memcmp(message + layout.size - size, alone, size) == 0,
                  "%s DE %u form %u size %u", iso_dialect_name(dialect), de, value->form,
                  value->size);
        /* The careful line may want a little more than it writes. */
        uint32_t exactly = layout.size;
        for (uint32_t most = exactly - 1; most <= exactly + 32; most++) {
            uint8_t *room = malloc(most);
            err = iso_build(dialect, &draft, room, most, &layout, NULL);
            cr_assert(err == ISO_NO_ROOM ? most < exactly + 32 : err == ISO_OK && most >= exactly);
            cr_assert(err != ISO_OK || memcmp(room, message, exactly) == 0);
            free(room);
        }
    }
    free(data);
}

/* A value, one that is one longer, shorter, each with a wrong byte, and its form on the wire. */
static void try_value(const struct iso_dialect *dialect, uint32_t de, struct iso_value value)
{
    static uint8_t changed[ISO_MESSAGE_BYTES_MAX], wire[ISO_MESSAGE_BYTES_MAX];
    const struct iso_node *node = iso_dialect_field(dialect, de);
    expect_built_alike(dialect, de, &value);
    if (value.form == ISO_FORM_PARTS)
        return;
    memcpy(changed, value.data, value.size);
    changed[value.size] = '1';
    struct iso_value other = {changed, value.size + 1, 0, ISO_FORM_CANONICAL};
    for (; other.size + 2 > value.size; other.size--) {
        expect_built_alike(dialect, de, &other);
        if (other.size == 0)
            break;
        uint8_t *one = &changed[random_below(&pool.state, other.size)], was = *one;
        *one = (uint8_t)random_below(&pool.state, 256);
        expect_built_alike(dialect, de, &other);
        *one = was;
    }
    size_t size;
    uint32_t prefix = node->length.encoding == ISO_LEN_BER ? 0 : node->length.width;
    if (node->length.encoding == ISO_LEN_PACKED)
        prefix = (prefix + 1) / 2;
    if (iso_build_value(dialect, node, &value, wire, sizeof(wire), &size, NULL) != ISO_OK)
        return;
    struct iso_value as_wire = {wire + prefix, (uint32_t)size - prefix, (uint16_t)value.size,
                                ISO_FORM_WIRE};
    expect_built_alike(dialect, de, &as_wire);
    as_wire.count++;
    expect_built_alike(dialect, de, &as_wire);
    if (as_wire.size == 0)
        return;
    as_wire.count -= 2;
    as_wire.size--;
    expect_built_alike(dialect, de, &as_wire);
}

Test(straight, values_are_put_alike, .timeout = 300)
{
    for (uint32_t i = 0; i < countof(shipped); i++) {
        struct iso_dialect *dialect = dialect_shipped(shipped[i]);
        pool.state = i;
        for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
            const struct iso_node *node = iso_dialect_field(dialect, de);
            for (uint32_t round = 0; node != NULL && round < 6; round++) {
                struct iso_value value;
                pool.bytes_used = pool.parts_used = 0;
                random_value(&pool, node, round < 4 ? 20 : 300, 0, 0, &value);
                try_value(dialect, de, value);
                if (value.form == ISO_FORM_PARTS) {
                    random_text(&pool, node, 200, 0, &value);
                    try_value(dialect, de, value);
                }
            }
        }
        iso_dialect_free(dialect);
    }
}

/* Counts and sides that no shipped dialect has. */
Test(straight, packed_digits_of_any_count)
{
    for (uint32_t count = 1; count <= 24; count++)
        for (uint32_t side = 0; side < 2; side++) {
            char text[256];
            (void)snprintf(text, sizeof(text),
                           "dialect: t\ndefaults: {digits: packed, signed: packed}\nfields:\n"
                           "  3: {form: n %u, filler: %s 0}\n  4: {form: VAR n ..%u, length: "
                           "packed 4, filler: %s 0}\n  5: {form: x+n %u}\n",
                           count, side ? "right" : "left", count, side ? "right" : "left", count);
            struct iso_dialect *dialect = dialect_text(text);
            for (uint32_t round = 0; round < 20; round++)
                for (uint32_t de = 3; de <= 5; de++) {
                    struct iso_value value;
                    pool.bytes_used = pool.parts_used = 0;
                    random_text(&pool, iso_dialect_field(dialect, de), count + 1, 0, &value);
                    try_value(dialect, de, value);
                }
            iso_dialect_free(dialect);
        }
}
