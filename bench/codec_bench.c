/* codec_bench.c - nanoseconds of reading, building and framing one message, single thread.
 *
 * Messages: the 18-field 0100 of a purchase (209 bytes with binary bitmaps, 217 with hexadecimal
 * ones), and 64 fields of iso87-binary at half their length. The best of several rounds counts, for
 * the machine may be shared. */
#include "bench/bench.h"
#include "iso8583/build.h"
#include "iso8583/frame.h"
#include "iso8583/parse.h"

#include <malloc.h>
#include <stdio.h>
#include <time.h>

#define ROUNDS     400u
#define ROUND_RUNS 1000u

static const struct {
    uint32_t de;
    const char *text;
} purchase[] = {
    {2, "4242424242424242"},
    {3, "000000"},
    {4, "000000009999"},
    {7, "0701123045"},
    {11, "123456"},
    {12, "123045"},
    {13, "0701"},
    {14, "2512"},
    {18, "5411"},
    {22, "051"},
    {25, "00"},
    {32, "123456"},
    {35, "4242424242424242=25121011234567890"},
    {37, "518212123456"},
    {41, "TERM0001"},
    {42, "MERCHANT0000012"},
    {43, "ACME STORE 123 MAIN ST   DENVER       US"},
    {49, "840"},
};

struct subject { /* one thing that is measured */
    const struct iso_dialect *dialect;
    struct iso_draft draft;
    uint8_t message[16384], scratch[16384];
    struct iso_layout layout;
    char values[ISO_FIELDS_MAX + 1][600];
};

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t allocations(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks;
}

static void print(bool json, const char *name, double ns, uint64_t allocs)
{
    if (json)
        (void)printf("{\"bench\":\"codec\",\"name\":\"%s\",\"ns\":%.1f,\"allocs\":%llu}\n", name,
                     ns, (unsigned long long)allocs);
    else
        (void)printf("%-52s %8.1f ns %4llu allocations\n", name, ns, (unsigned long long)allocs);
}

static bool measure_one(bool json, const char *name, struct subject *subject, bool decode)
{
    struct iso_msg msg;
    struct span frame = {subject->message, subject->layout.size};
    int64_t best = INT64_MAX;
    uint64_t before = allocations();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        for (uint32_t i = 0; i < ROUND_RUNS; i++) {
            enum iso_err err = decode
                                   ? iso_parse(subject->dialect, frame, &msg, NULL)
                                   : iso_build(subject->dialect, &subject->draft, subject->scratch,
                                               sizeof(subject->scratch), &subject->layout, NULL);
            if (err != ISO_OK)
                return false;
            __asm__ volatile("" : : "r"(&msg), "r"(subject->scratch) : "memory");
        }
        int64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    uint64_t grown = allocations() - before;
    print(json, name, (double)best / ROUND_RUNS, grown);
    return true;
}

/* Builds the message once, then measures both ways. */
static bool measure(bool json, const char *what, struct subject *subject)
{
    char name[96];
    struct iso_fault fault;
    if (iso_build(subject->dialect, &subject->draft, subject->message, sizeof(subject->message),
                  &subject->layout, &fault) != ISO_OK) {
        (void)fprintf(stderr, "codec: %s: field %s: %s\n", what, fault.path, fault.text);
        return false;
    }
    (void)snprintf(name, sizeof(name), "decode %s %u B", what, subject->layout.size);
    if (!measure_one(json, name, subject, true))
        return false;
    (void)snprintf(name, sizeof(name), "encode %s %u B", what, subject->layout.size);
    return measure_one(json, name, subject, false);
}

static bool measure_purchase(bool json, const struct iso_dialect *dialect, const char *what)
{
    static struct subject subject;
    subject.dialect = dialect;
    iso_draft_init(&subject.draft, "0100");
    for (uint32_t i = 0; i < countof(purchase); i++)
        iso_draft_text(&subject.draft, purchase[i].de, purchase[i].text,
                       (uint32_t)strlen(purchase[i].text));
    return measure(json, what, &subject);
}

/* Fields 2 to 66 without 65, each of half its greatest size (fixed ones whole). */
static bool measure_wide(bool json, const struct iso_dialect *dialect)
{
    static struct subject subject;
    subject.dialect = dialect;
    iso_draft_init(&subject.draft, "0100");
    uint32_t fields = 0;
    for (uint32_t de = 2; de <= ISO_FIELDS_MAX && fields < 64; de++) {
        const struct iso_node *node = iso_dialect_field(dialect, de);
        if (node == NULL || de == 65)
            continue;
        uint32_t size = node->min == node->max ? node->max : (node->max + 1) / 2;
        if (size < node->min)
            size = node->min;
        if (size > sizeof(subject.values[de]))
            size = sizeof(subject.values[de]);
        if (node->group > 1)
            size = node->group;
        memset(subject.values[de], '1', size);
        if (node->character_class == ISO_CLASS_XN)
            subject.values[de][0] = 'C';
        if (node->composite.tag.is_ber) { /* one object of the whole size */
            static const uint8_t tag[] = {0xC1, 0x82};
            memcpy(subject.values[de], tag, sizeof(tag));
            store_be16((uint8_t *)subject.values[de] + 2, (uint16_t)(size - 4));
        }
        iso_draft_text(&subject.draft, de, subject.values[de], size);
        fields++;
    }
    return measure(json, "iso87-binary 64 fields", &subject);
}

static bool measure_framing(bool json)
{
    static uint8_t stream[64 * 211];
    static struct iso_frame frames[64];
    struct iso_framing framing = {ISO_FRAMING_BINARY2, 8192};
    uint32_t size = 0;
    for (uint32_t i = 0; i < 64; i++) {
        size += iso_frame_put(&framing, 209, stream + size);
        size += 209;
    }
    int64_t best = INT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int64_t start = now_ns();
        for (uint32_t i = 0; i < 1000; i++) {
            enum iso_frame_result result;
            uint32_t count =
                iso_frame_next_many(&framing, (struct span){stream, size}, frames, 64, &result);
            if (count != 64)
                return false;
            __asm__ volatile("" : : "r"(frames) : "memory");
        }
        int64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    print(json, "frame binary2 64 messages, each", (double)best / 64000.0, 0);
    return true;
}

int bench_codec(bool json)
{
    static const char *const names[] = {"iso87-ascii", "iso87-ascii-hex", "iso87-binary"};
    static const char *const whats[] = {"iso87-ascii 18 fields", "iso87-ascii-hex 18 fields",
                                        "iso87-binary 18 fields"};
    const char *directories = "conf/dialects:../conf/dialects:../../conf/dialects"
#ifdef RS_DIALECTS
                              ":" RS_DIALECTS
#endif
        ;
    bool done = true;
    for (uint32_t i = 0; i < countof(names); i++) {
        struct iso_report report = {0};
        struct iso_dialect *dialect = iso_dialect_by_name(names[i], directories, &report);
        if (dialect == NULL) {
            (void)fprintf(stderr, "codec: %s\n", report.texts[0]);
            done = false;
            continue;
        }
        done = measure_purchase(json, dialect, whats[i]) && done;
        if (i == 2)
            done = measure_wide(json, dialect) && done;
        iso_dialect_free(dialect);
    }
    return measure_framing(json) && done ? 0 : 1;
}
