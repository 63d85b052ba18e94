/* property_test.c - random dialects and random messages: build, read both ways, compare, relay,
 * cut, flip. A failing seed is printed; the same seed gives the same message. */
#include "random.h"

static struct pool pool;

static void compare_value(const struct iso_dialect *dialect, const struct iso_node *node,
                          struct span wire, uint32_t count, const struct iso_value *want,
                          uint64_t seed, const char *path)
{
    static char text[70000];
    size_t size;
    cr_assert(iso_value_text(dialect, node, wire, count, text, sizeof(text), &size), "seed %lu %s",
              (unsigned long)seed, path);
    cr_assert(size == want->size && memcmp(text, want->data, size) == 0,
              "seed %lu %s: got '%.*s', want '%.*s'", (unsigned long)seed, path, (int)size, text,
              (int)want->size, (const char *)want->data);
}

/* Items of a composite against the parts it was built from, as deep as they go. */
static void compare_parts(struct iso_cursor *cursor, const struct iso_value *want, uint64_t seed)
{
    const struct iso_part *parts = want->data;
    struct iso_item item;
    struct iso_fault fault;
    uint32_t found = 0;
    for (;;) {
        enum iso_walk walk = iso_cursor_next(cursor, &item, &fault);
        cr_assert_neq(walk, ISO_WALK_FAULT, "seed %lu %s %s", (unsigned long)seed, fault.path,
                      fault.text);
        if (walk == ISO_WALK_END)
            break;
        cr_assert_lt(found, want->size, "seed %lu %s", (unsigned long)seed, cursor->path);
        const struct iso_part *part = &parts[found++];
        cr_assert(
            strlen(item.key) == part->key_size && memcmp(item.key, part->key, part->key_size) == 0,
            "seed %lu %s: %s is not %s", (unsigned long)seed, cursor->path, item.key, part->key);
        if (part->value.form == ISO_FORM_PARTS) {
            struct iso_cursor inner;
            if (part->value.size == 0 && item.at.size == 0)
                continue;
            cr_assert(iso_cursor_enter(cursor, &item, &inner));
            compare_parts(&inner, &part->value, seed);
        } else if (item.kind != ISO_ITEM_PADDING) {
            compare_value(cursor->dialect, item.node, iso_item_value(cursor, &item), item.at.count,
                          &part->value, seed, item.key);
        }
    }
    /* An empty part without a prefix at the very end leaves no trace. */
    while (found < want->size && parts[found].value.size == 0)
        found++;
    cr_assert_eq(found, want->size, "seed %lu %s", (unsigned long)seed, cursor->path);
}

static void expect_alike(const struct iso_dialect *dialect, struct span frame, uint64_t seed)
{
    static struct iso_msg a, b;
    struct iso_fault fault = {0};
    enum iso_err left = iso_parse(dialect, frame, &a, &fault);
    enum iso_err right = iso_parse_checked(dialect, frame, &b, NULL);
    cr_assert_eq(left, right, "seed %lu", (unsigned long)seed);
    cr_assert_eq(memcmp(a.present, b.present, sizeof(a.present)), 0, "seed %lu",
                 (unsigned long)seed);
    cr_assert_eq(a.blocks, b.blocks);
    for (uint32_t de = iso_msg_next(&a, 0); de != 0; de = iso_msg_next(&a, de))
        cr_assert_eq(memcmp(&a.fields[de], &b.fields[de], sizeof(a.fields[de])), 0,
                     "seed %lu DE %u", (unsigned long)seed, de);
    if (left != ISO_OK)
        cr_assert(fault.code == left && fault.offset <= frame.size && fault.text[0] != '\0');
}

/* What is accepted is relayed byte by byte, but for what is made canonical: hexadecimal characters
 * of bitmaps and lengths come out as capitals, the BER length of a whole field as short as can be.
 */
static void expect_relayed(const struct iso_dialect *dialect, struct span frame, uint64_t seed)
{
    static struct iso_msg msg;
    static struct iso_draft draft;
    static uint8_t out[ISO_MESSAGE_BYTES_MAX];
    struct iso_layout layout;
    struct iso_fault fault = {0};
    if (iso_parse(dialect, frame, &msg, NULL) != ISO_OK)
        return;
    iso_draft_from_msg(&draft, &msg);
    cr_assert_eq(iso_build(dialect, &draft, out, sizeof(out), &layout, &fault), ISO_OK,
                 "seed %lu %s %s", (unsigned long)seed, fault.path, fault.text);
    bool has_ber = false;
    for (uint32_t de = iso_msg_next(&msg, 0); de != 0; de = iso_msg_next(&msg, de))
        has_ber = has_ber || iso_dialect_field(dialect, de)->length.encoding == ISO_LEN_BER;
    cr_assert(layout.size == frame.size || has_ber, "seed %lu", (unsigned long)seed);
    for (uint32_t i = 0; layout.size == frame.size && i < frame.size; i++) {
        bool capital = out[i] >= 'A' && out[i] <= 'F' && (out[i] | 0x20) == frame.data[i];
        bool ebcdic = out[i] >= 0xC1 && out[i] <= 0xC6 && (out[i] ^ 0x40) == frame.data[i];
        cr_assert(out[i] == frame.data[i] || capital || ebcdic, "seed %lu offset %u",
                  (unsigned long)seed, i);
    }
}

/* One random message of a dialect. Returns false when the draw did not fit its bounds. */
static bool try_message(const struct iso_dialect *dialect, uint64_t seed, uint32_t fields_most,
                        bool thorough)
{
    static struct iso_draft draft;
    static struct iso_msg msg;
    static uint8_t out[ISO_MESSAGE_BYTES_MAX];
    struct iso_layout layout;
    struct iso_fault fault = {0};
    char mti[4] = {'0', (char)('1' + seed % 8), '0', '0'};
    pool.bytes_used = pool.parts_used = 0;
    pool.state = seed;
    iso_draft_init(&draft, mti);
    for (uint32_t i = 0; i < fields_most; i++) {
        uint32_t de = 2 + random_below(&pool.state, ISO_FIELDS_MAX - 1);
        const struct iso_node *node = iso_dialect_field(dialect, de);
        if (node == NULL || iso_draft_has(&draft, de))
            continue;
        struct iso_value value;
        random_value(&pool, node, 200, 0, 0, &value);
        iso_draft_text(&draft, de, value.data, value.size);
        draft.values[de] = value;
    }
    enum iso_err err = iso_build(dialect, &draft, out, sizeof(out), &layout, &fault);
    if (err == ISO_VALUE_LONG || err == ISO_VALUE_SHORT || err == ISO_GROUP)
        return false; /* parts together may be more than their field holds */
    cr_assert_eq(err, ISO_OK, "seed %lu: %s %s", (unsigned long)seed, fault.path, fault.text);
    struct span frame = {out, layout.size};
    err = iso_parse(dialect, frame, &msg, &fault);
    cr_assert_eq(err, ISO_OK, "seed %lu: %s at %u: %s", (unsigned long)seed, fault.path,
                 fault.offset, fault.text);
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX; de++) {
        cr_assert_eq(iso_msg_has(&msg, de), iso_draft_has(&draft, de), "seed %lu DE %u",
                     (unsigned long)seed, de);
        if (!iso_msg_has(&msg, de))
            continue;
        char path[8];
        (void)snprintf(path, sizeof(path), "%u", de);
        struct iso_cursor cursor;
        if (draft.values[de].form == ISO_FORM_PARTS) {
            cr_assert(iso_cursor_open(dialect, &msg, de, &cursor));
            compare_parts(&cursor, &draft.values[de], seed);
        } else {
            compare_value(dialect, iso_dialect_field(dialect, de), iso_msg_field(&msg, de),
                          msg.fields[de].count, &draft.values[de], seed, path);
        }
    }
    expect_alike(dialect, frame, seed);
    expect_relayed(dialect, frame, seed);
    if (!thorough)
        return true;
    for (uint32_t size = 0; size < frame.size; size++) {
        uint8_t *cut = malloc(size > 0 ? size : 1);
        memcpy(cut, out, size);
        cr_assert_neq(iso_parse(dialect, (struct span){cut, size}, &msg, NULL), ISO_OK, "seed %lu",
                      (unsigned long)seed);
        expect_alike(dialect, (struct span){cut, size}, seed);
        free(cut);
    }
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t bit = i < 200 ? i : random_below(&pool.state, frame.size * 8);
        if (bit >= frame.size * 8)
            continue;
        out[bit / 8] ^= (uint8_t)(0x80 >> (bit & 7));
        expect_alike(dialect, frame, seed);
        expect_relayed(dialect, frame, seed);
        out[bit / 8] ^= (uint8_t)(0x80 >> (bit & 7));
    }
    return true;
}

/* RS_PROPERTY_SEEDS=N tries more than the usual number. */
static uint64_t seeds(uint64_t usual)
{
    const char *more = getenv("RS_PROPERTY_SEEDS");
    return more != NULL ? strtoull(more, NULL, 10) : usual;
}

static const char *const shipped[] = {
    "iso87-ascii",  "iso87-ascii-hex", "iso87-binary", "iso87-ebcdic",   "iso93-ascii",
    "iso93-binary", "iso2003-binary",  "visa-base1",   "mastercard-cis", "mastercard-cis-ascii",
    "base24",       "postilion",       "smartvista",   "way4",           "mastercard-ipm"};

Test(property, shipped_dialects, .timeout = 300)
{
    for (size_t i = 0; i < countof(shipped); i++) {
        struct iso_dialect *dialect = dialect_shipped(shipped[i]);
        uint32_t tried = 0;
        for (uint64_t seed = 1; seed <= seeds(150); seed++)
            tried += try_message(dialect, seed, (uint32_t)(seed % 40), seed % 30 == 0);
        cr_assert_gt(tried, 20, "%s: %u", shipped[i], tried);
        iso_dialect_free(dialect);
    }
}

/* --- random dialects --- */

static const char *pick(uint64_t *state, const char *const *list, uint32_t count)
{
    return list[random_below(state, count)];
}

/* Packed digits and their parts, which begin at nibbles. */
static const char *random_digits(uint64_t *state)
{
    static const char *const forms[] = {
        "n 16, parts: {1: n 3, 2: n 1, 3: n 12}",
        "n 7, parts: {1: n 2, 2: n 4, 3: n 1}",
        "n 7, filler: right F, parts: {1: n 2, 2: n 5}",
        "n 9, parts: {1: n 2, 2: {form: n 5, of: positional, parts: {a: n 1, b: n 3, c: n 1}}, "
        "3: n 2}",
        "hex 8, parts: {1: hex 3, 2: n 2, 3: hex 3}",
        "VAR n ..30, length: binary 1, filler: right 0, mandatory: 1, parts: {1: n 1, 2: n 3, 3: n "
        "2, 4: n 7}",
        "VAR n ..30, length: ascii 2 nibbles, filler: right F, mandatory: 0, parts: {1: n 3, 2: n "
        "2}",
        "VAR hex ..6, length: ascii 2 bytes, filler: none, mandatory: 2, parts: {1: n 1, 2: hex 3, "
        "3: {form: n 4, of: positional, parts: {a: n 3, b: n 1}}, 4: n 2}",
        "VAR n ..6, length: binary 1 bytes, filler: right 0, mandatory: 0, parts: {1: n 1, 2: n 1, "
        "3: n 5, 4: n 1}"};
    return forms[random_below(state, countof(forms))];
}

static void random_field(uint64_t *state, uint32_t de, char *out, size_t out_size)
{
    static const char *const text_classes[] = {"a", "an", "ans", "as", "s", "n", "any", "ns"};
    static const char *const text_encodings[] = {"ascii",     "latin1",     "ebcdic037",
                                                 "ebcdic500", "ebcdic1047", "utf8"};
    static const char *const fillers[] = {"left 0", "right 0", "left F", "right F", "none"};
    static const char *const lengths[] = {"ascii 3",  "ebcdic 3", "packed 3", "packed 4",
                                          "binary 1", "binary 2", "binary 3", "binary 4",
                                          "hex 2",    "hex 4",    "ber"};
    uint32_t kind = random_below(state, 5), max = 1 + random_below(state, 120);
    char form[64], length[64] = "", more[160] = "";
    bool variable = random_below(state, 2) == 0;
    const char *class = "n";
    if (kind == 0) {
        class = pick(state, text_classes, countof(text_classes));
        (void)snprintf(more, sizeof(more), ", encoding: %s", pick(state, text_encodings, 6));
    } else if (kind == 1) {
        class = random_below(state, 3) == 0 ? "z" : "n";
        const char *filler = pick(state, fillers, 5);
        max += max & 1;
        const char *unit = variable && random_below(state, 4) == 0 ? ", counts: nibbles" : "";
        (void)snprintf(more, sizeof(more), ", encoding: packed, filler: %s%s", filler, unit);
    } else if (kind == 2) {
        class = "b";
        static const char *const encodings[] = {"binary", "hex", "hex-ebcdic"};
        static const char *const units[] = {"", ", counts: octets", ", counts: bytes"};
        const char *encoding = pick(state, encodings, 3);
        max += max & 1;
        (void)snprintf(more, sizeof(more), ", encoding: %s%s", encoding, pick(state, units, 3));
    } else if (kind == 3) {
        class = "x+n";
        variable = false;
        max += max & 1;
        static const char *const encodings[] = {"ascii", "ebcdic500", "packed",
                                                "packed-ebcdic-sign"};
        (void)snprintf(more, sizeof(more), ", encoding: %s", pick(state, encodings, 4));
    } else if (random_below(state, 4) == 0) {
        (void)snprintf(out, out_size, "  %u: {encoding: packed, of: positional, form: %s}\n", de,
                       random_digits(state));
        return;
    } else {
        static const char *const composites[] = {
            ", of: ber",
            ", of: tlv, tags: ascii 2, tag_lengths: ascii 3, parts: {'01': VAR an ..20, "
            "'07': {form: VAR b ..9, encoding: hex}}",
            ", of: tlv, tags: binary 1, tag_lengths: binary 2, parts: {'0A': {form: VAR n ..9, "
            "encoding: packed}, '1B': {form: VAR b ..60, of: ber}}",
            ", of: bitmap, map: binary 2, chained: true, parts: {2: n 3, 5: LLVAR ans ..9, 18: b "
            "2, "
            "20: LVAR an ..5}",
            ", of: bitmap, map: binary 1, parts: {1: n 3}, rest: {form: REST b ..90, of: ber}",
            ", of: bitmap, map: hex 3, parts: {1: n 3, 3: {form: LLVAR n ..9, encoding: packed}, "
            "24: b 1}",
            ", of: positional, mandatory: 1, parts: {a: n 2, b: LLVAR ans ..12, c: REST b ..30}",
            ", of: separated, separator: '|', parts: {1: {form: VAR an ..9}, 2: {form: VAR n ..5}, "
            "3: "
            "{form: VAR an ..20}}"};
        class = "b";
        variable = true;
        max = 200;
        (void)snprintf(form, sizeof(form), "VAR b ..900");
        (void)snprintf(out, out_size, "  %u: {form: %s, length: %s%s}\n", de, form,
                       random_below(state, 2) == 0 ? "ascii 3" : "binary 2",
                       pick(state, composites, 8));
        return;
    }
    if (variable) {
        (void)snprintf(form, sizeof(form), "VAR %s ..%u", class, max);
        bool inclusive = random_below(state, 4) == 0;
        const char *how = pick(state, lengths, countof(lengths));
        (void)snprintf(length, sizeof(length), ", length: %s%s", how,
                       inclusive && strcmp(how, "ber") != 0 ? " inclusive" : "");
    } else {
        (void)snprintf(form, sizeof(form), "%s %u", class, max);
    }
    (void)snprintf(out, out_size, "  %u: {form: %s%s%s}\n", de, form, length, more);
}

static void random_dialect(uint64_t seed, char *out, size_t out_size)
{
    static const char *const mtis[] = {"ascii", "packed", "ebcdic500", "ebcdic037"};
    static const char *const maps[] = {"binary", "hex", "hex-ebcdic", "[binary, hex, hex-ebcdic]"};
    static const char *const seconds[] = {"announced", "always", "always-announced"};
    static const char *const thirds[] = {"none", "contiguous", "field"};
    static const char *const headers[] = {"{kind: none}", "{kind: tpdu}", "{kind: fixed, size: 9}",
                                          "{kind: text, text: ISO, size: 12}",
                                          "{kind: length, size: 22, reject: 26}"};
    uint64_t state = seed;
    const char *third = pick(&state, thirds, 3);
    int used = snprintf(out, out_size,
                        "dialect: r\nheader: %s\nmti: {encoding: %s}\n"
                        "bitmap: {encoding: %s, secondary: %s, tertiary: %s}\nfields:\n",
                        pick(&state, headers, 5), pick(&state, mtis, 4), pick(&state, maps, 4),
                        pick(&state, seconds, 3), third);
    uint32_t last = strcmp(third, "none") == 0 ? 128 : 192;
    for (uint32_t de = 2; de <= last; de++) {
        bool map = strcmp(third, "none") != 0 && (de == 65 || de == 129);
        if (map || random_below(&state, 4) == 0)
            continue;
        random_field(&state, de, out + used, out_size - (size_t)used);
        used += (int)strlen(out + used);
    }
}

Test(property, random_dialects, .timeout = 600)
{
    static char text[65536];
    uint32_t tried = 0;
    for (uint64_t seed = 1; seed <= seeds(120); seed++) {
        random_dialect(seed, text, sizeof(text));
        struct iso_report report = {0};
        struct iso_source file = {text, strlen(text), "random.yaml"};
        struct iso_dialect *dialect =
            iso_dialect_load_text(text, strlen(text), "random.yaml", NULL, &report);
        cr_assert_not_null(dialect, "seed %lu: %s", (unsigned long)seed, report.texts[0]);
        cr_assert(iso_schema_check(schema_shipped(), &file, &report), "seed %lu: %s",
                  (unsigned long)seed, report.texts[0]);
        for (uint64_t message = 1; message <= 20; message++)
            tried += try_message(dialect, seed * 1000 + message, (uint32_t)(message * 2),
                                 message == 7 && seed % 10 == 0);
        iso_dialect_free(dialect);
    }
    cr_assert_gt(tried, 100, "%u", tried);
}
