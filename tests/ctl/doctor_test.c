/* doctor_test.c - `ringctl doctor` on conversations whose faults are known: streams in captures,
 * each fault with its place. */
#include "tool.h"

#include <jansson.h>

/* iso87-ascii behind two bytes of length. 0800 and 0810: 7, 11 and 70, the answer with 39, too. */
#define REQUEST(stan) "0027 '0800' 8220000000000000 0400000000000000 '1121030000' '" stan "' '301'"
#define ANSWER(stan)                                                                               \
    "0029 '0810' 8220000002000000 0400000000000000 '1121030000' '" stan "' '00' '301'"
#define KEY(stan) "x8xx 11=" stan " 7=1121030000 32=-"
#define OUT       "10.0.0.1:4000 > 10.0.0.2:8583"
#define BACK      "10.0.0.2:8583 > 10.0.0.1:4000"

struct capture_file {
    uint8_t bytes[8192];
    size_t size;
    uint32_t sequences[3][2]; /* next one of each link and direction */
};

static size_t bytes_of(const char *text, uint8_t *out)
{
    size_t used = 0, size;
    while (*text != 0) {
        if (*text == '\'') {
            for (text++; *text != '\''; text++) {
                out[used++] = (uint8_t)*text;
            }
            text++;
        } else if (*text == ' ') {
            text++;
        } else {
            cr_assert(bytes_from_hex(text, 2, out + used, 1, &size), "%s", text);
            used++;
            text += 2;
        }
    }
    return used;
}

/* A capture of raw IP packets. */
static void capture_start(struct capture_file *file)
{
    static const uint8_t head[24] = {0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, [20] = 101};
    *file = (struct capture_file){.size = sizeof head};
    memcpy(file->bytes, head, sizeof head);
}

/* A segment from 10.0.0.(2 * link + 1):4000 to 10.0.0.(2 * link + 2):8583, or back. */
static void capture_add(struct capture_file *file, uint32_t link, bool back, const char *text)
{
    uint8_t data[1024], *packet = file->bytes + file->size + 16;
    size_t size = bytes_of(text, data), total = 40 + size;
    uint16_t ports[2] = {4000, 8583};
    memset(file->bytes + file->size, 0, 16 + 40);
    file->bytes[file->size + 8] = file->bytes[file->size + 12] = (uint8_t)total;
    file->bytes[file->size + 9] = file->bytes[file->size + 13] = (uint8_t)(total >> 8);
    packet[0] = 0x45;
    store_be16(packet + 2, (uint16_t)total);
    packet[8] = 64;
    packet[9] = 6;
    for (uint32_t end = 0; end < 2; end++) {
        packet[12 + 4 * end] = 10;
        packet[15 + 4 * end] = (uint8_t)(2 * link + 1 + (back ? 1 - end : end));
        store_be16(packet + 20 + 2 * end, ports[back ? 1 - end : end]);
    }
    store_be32(packet + 24, file->sequences[link][back]);
    packet[32] = 0x50;
    memcpy(packet + 40, data, size);
    file->sequences[link][back] += (uint32_t)size;
    file->size += 16 + total;
    cr_assert_lt(file->size, sizeof file->bytes - 1100);
}

static int doctor(const char *files, char *out, size_t out_size)
{
    char arguments[1280];
    (void)snprintf(arguments, sizeof arguments,
                   "doctor %s --dialect " RS_DIALECTS "/iso87-ascii.yaml", files);
    return tool_run(arguments, out, out_size);
}

static int one_capture(struct capture_file *file, char *out, size_t out_size)
{
    tool_write("a.pcap", file->bytes, file->size);
    return doctor("a.pcap", out, out_size);
}

static void expect_said(const char *out, const char *line)
{
    char full[512];
    (void)snprintf(full, sizeof full, "\n%s\n", line);
    cr_expect_not_null(strstr(out, full), "%s\nis not in\n%s", line, out);
}

static uint32_t lines_of(const char *out)
{
    uint32_t count = 0;
    for (; *out != 0; out++) {
        count += *out == '\n';
    }
    return count;
}

#define AROUND .init = tool_make_folder, .fini = tool_remove_folder, .timeout = 60

Test(doctor, a_conversation_without_fault, AROUND)
{
    struct capture_file file;
    char out[8192];
    capture_start(&file);
    capture_add(&file, 0, false, REQUEST("000001"));
    capture_add(&file, 0, true,
                ANSWER("000001") "0000" ANSWER("000002")); /* a keep-alive between */
    capture_add(&file, 0, false, REQUEST("000002"));
    cr_expect_eq(one_capture(&file, out, sizeof out), 0, "%s", out);
    cr_expect_not_null(strstr(out, "iso87-ascii  binary2  "), "%s", out);
    cr_expect_null(strstr(out, "10.0.0.1:4000 > 10.0.0.2:8583 byte"), "%s", out);
}

Test(doctor, every_fault_has_its_place, AROUND)
{
    struct capture_file file;
    char out[8192];
    capture_start(&file);
    capture_add(&file, 0, false, REQUEST("000001"));
    capture_add(&file, 0, false, REQUEST("000002"));
    capture_add(&file, 0, false, REQUEST("000002"));
    capture_add(&file, 0, false, REQUEST("00A003")); /* no digit at byte 36 */
    capture_add(&file, 0, true, ANSWER("000001"));
    capture_add(&file, 0, true, ANSWER("000009"));
    capture_add(&file, 0, true, "0029 '0810'");
    cr_expect_eq(one_capture(&file, out, sizeof out), 1, "%s", out);
    expect_said(out, OUT " byte 82: a request's key comes twice: " KEY("000002"));
    expect_said(out, BACK " byte 43: an answer matches no request: key " KEY(
                         "000009") "; nearest pending " KEY("000002"));
    expect_said(out, BACK " byte 86: bytes without a frame: 6 bytes");
    expect_said(out, OUT " byte 41: a request without answer: " KEY("000002"));
    const char *said = strstr(out, OUT " byte 123: a frame does not decode: field 11, byte 32: ");
    cr_expect_not_null(said, "%s", out);
}

/* Each a line of JSON. */
Test(doctor, findings_for_programs, AROUND)
{
    struct capture_file file;
    char out[8192];
    uint32_t findings = 0;
    capture_start(&file);
    capture_add(&file, 0, false, REQUEST("000001"));
    capture_add(&file, 0, true, ANSWER("000009"));
    tool_write("a.pcap", file.bytes, file.size);
    cr_expect_eq(doctor("a.pcap --json", out, sizeof out), 1, "%s", out);
    for (char *line = out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        json_t *row = json_loadb(line, (size_t)(end - line), 0, NULL);
        cr_assert_not_null(row, "%s", line);
        const char *finding = json_string_value(json_object_get(row, "finding"));
        if (finding != NULL) {
            findings++;
            cr_expect_str_eq(finding, "an answer matches no request");
            cr_expect_str_eq(json_string_value(json_object_get(row, "place")), BACK " byte 0");
        }
        json_decref(row);
    }
    cr_expect_eq(findings, 1, "%s", out);
}

/* Each direction was captured by itself; and what is forwarded has the same key on another link. */
Test(doctor, two_captures_are_one_conversation, AROUND)
{
    struct capture_file there, back;
    char out[8192];
    capture_start(&there);
    capture_add(&there, 0, false, REQUEST("000001"));
    capture_add(&there, 1, false, REQUEST("000001"));
    capture_start(&back);
    capture_add(&back, 1, true, ANSWER("000001"));
    capture_add(&back, 0, true, ANSWER("000001"));
    tool_write("there.pcap", there.bytes, there.size);
    tool_write("back.pcap", back.bytes, back.size);
    cr_expect_eq(doctor("there.pcap back.pcap", out, sizeof out), 0, "%s", out);
    cr_expect_eq(doctor("there.pcap", out, sizeof out), 0, "%s", out); /* nothing was answered */

    capture_start(&back); /* one of both answers is missing */
    capture_add(&back, 1, true, ANSWER("000001"));
    tool_write("back.pcap", back.bytes, back.size);
    cr_expect_eq(doctor("there.pcap back.pcap", out, sizeof out), 1, "%s", out);
    cr_expect_not_null(strstr(out, ": a request without answer: " KEY("000001")), "%s", out);
}

Test(doctor, segments_that_are_missing, AROUND)
{
    struct capture_file file;
    char out[8192];
    capture_start(&file);
    capture_add(&file, 0, false, REQUEST("000001"));
    file.sequences[0][0] += 41; /* a whole message was not captured */
    capture_add(&file, 0, false, REQUEST("000002"));
    cr_expect_eq(one_capture(&file, out, sizeof out), 1, "%s", out);
    expect_said(out, OUT ": segments are missing in the capture");
}

/* A message alone, as hexadecimal text: every dialect, no framing and all of them. */
Test(doctor, one_message, AROUND)
{
    uint8_t bytes[256];
    char hex[600], arguments[640], out[8192];
    size_t size = bytes_of(REQUEST("000001"), bytes);
    bytes_to_hex(bytes, size, hex);
    (void)snprintf(arguments, sizeof arguments, "%s", hex);
    cr_expect_eq(doctor(arguments, out, sizeof out), 0, "%s", out);
    cr_expect_not_null(strstr(out, "iso87-ascii  binary2  "), "%s", out);
    cr_expect_eq(doctor(hex + 4, out, sizeof out), 0, "%s", out); /* without its length */
    cr_expect_not_null(strstr(out, "iso87-ascii  none "), "%s", out);
    cr_expect_eq(doctor("FFFFFFFF", out, sizeof out), 1, "%s", out);
    cr_expect_geq(lines_of(out), 2);
}

Test(doctor, what_is_no_capture, AROUND)
{
    char out[4096];
    uint8_t broken[64] = {0x0A, 0x0D, 0x0D, 0x0A, 0xFF, 0xFF};
    tool_write("a.pcap", broken, sizeof broken);
    cr_expect_eq(doctor("a.pcap", out, sizeof out), 2, "%s", out);
    cr_expect_not_null(strstr(out, "a.pcap: a block of the capture file is broken"), "%s", out);
    cr_expect_eq(doctor("", out, sizeof out), 2);
}
