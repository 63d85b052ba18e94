/* rig_message.c - messages of the end-to-end tests: built, said, heard, read. */
#include "tests/wire/rig.h"

#include <stdio.h>

static void put(struct iso_draft *draft, uint32_t de, const char *text)
{
    if (text != NULL) {
        iso_draft_text(draft, de, text, (uint32_t)strlen(text));
    }
}

/* The fields that stand in everything but network messages. */
static void put_usual(struct iso_draft *draft, const struct rig_message *message, char amount[13])
{
    (void)snprintf(amount, 13, "%012lld",
                   message->amount_minor >= 0 && message->amount_minor < 1000000000000
                       ? (long long)message->amount_minor
                       : 0LL);
    put(draft, 2, message->pan);
    put(draft, 3, message->de3 == NULL ? "000000" : message->de3);
    put(draft, 4, amount);
    put(draft, 12, "080000");
    put(draft, 13, "1121");
    put(draft, 18, "5411");
    put(draft, 22, "012");
    put(draft, 25, "00");
    put(draft, 32, "123456");
    put(draft, 35, message->track2);
    put(draft, 37, message->rrn[0] == 0 ? NULL : message->rrn);
    put(draft, 41, message->terminal == NULL ? "TERM0001" : message->terminal);
    put(draft, 42, "MERCHANT0000001");
    put(draft, 49, "398");
    put(draft, 90, message->de90);
    put(draft, 95, message->de95);
}

uint32_t rig_build(const struct rig *rig, const struct rig_message *message, uint8_t *out,
                   size_t out_size)
{
    struct iso_draft draft;
    struct iso_layout layout;
    struct iso_part cvv2 = {.key = "92", .key_size = 2};
    char stan[12], amount[13];
    uint8_t block[8];
    size_t block_size;
    iso_draft_init(&draft, message->mti);
    (void)snprintf(stan, sizeof stan, "%06u", message->stan % 1000000u);
    put(&draft, 7, "1121030000");
    put(&draft, 11, stan);
    if (message->mti[1] == '8') {
        put(&draft, 70, "301");
    } else {
        put_usual(&draft, message, amount);
    }
    if (message->de52 != NULL &&
        bytes_from_hex(message->de52, 16, block, sizeof block, &block_size)) {
        iso_draft_text(&draft, 52, block, 8);
    }
    if (message->cvv2 != NULL) {
        cvv2.value =
            (struct iso_value){.data = message->cvv2, .size = 3, .form = ISO_FORM_CANONICAL};
        iso_draft_parts(&draft, 48, &cvv2, 1);
    }
    if (iso_build(rig->dialect, &draft, out, out_size, &layout, NULL) != ISO_OK) {
        return 0;
    }
    return layout.size;
}

static void take(const struct iso_msg *msg, uint32_t de, char *out, size_t out_size)
{
    struct span value = iso_msg_field(msg, de);
    size_t size = value.size < out_size - 1 ? value.size : out_size - 1;
    if (size != 0) {
        memcpy(out, value.data, size);
    }
    out[size] = 0;
}

bool rig_read(const struct rig *rig, struct span bytes, struct rig_answer *answer)
{
    struct iso_msg msg;
    int64_t stan = 0;
    if (iso_parse(rig->dialect, bytes, &msg, NULL) != ISO_OK) {
        return false;
    }
    *answer = (struct rig_answer){.stan = 0};
    memcpy(answer->mti, msg.mti, 4);
    take(&msg, 37, answer->rrn, sizeof answer->rrn);
    take(&msg, 38, answer->de38, sizeof answer->de38);
    take(&msg, 39, answer->de39, sizeof answer->de39);
    take(&msg, 44, answer->de44, sizeof answer->de44);
    if (iso_msg_number(rig->dialect, &msg, 11, &stan)) {
        answer->stan = (uint32_t)stan;
    }
    return true;
}

bool rig_connect(const struct rig *rig, struct caller *caller)
{
    char address[32], text[200];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", rig->port);
    return CHECK(caller_open(caller, address, text, sizeof text), "%s", text);
}

bool rig_is_busy(const struct rig_answer *answer)
{
    return strcmp(answer->de39, "91") == 0 && strcmp(answer->de44, "BUSY") == 0;
}

bool rig_ask(struct rig *rig, struct caller *caller, const struct rig_message *message,
             struct rig_answer *answer)
{
    uint8_t bytes[2048];
    struct span heard;
    uint32_t size = rig_build(rig, message, bytes, sizeof bytes);
    int64_t give_up_ms = rig_now_ms() + RIG_BUSY_MS;
    do {
        if (size == 0 || !caller_say(caller, (struct span){bytes, size}) ||
            caller_hear(caller, 8000, &heard) != CALLER_MESSAGE || !rig_read(rig, heard, answer) ||
            answer->stan != message->stan % 1000000u) {
            return false;
        }
        if (rig_is_busy(answer)) { /* the disk of this machine is slow: what a client does then */
            rig_sleep_ms(20);
        }
    } while (rig_is_busy(answer) && rig_now_ms() < give_up_ms);
    return true;
}

void rig_original(const struct rig_message *message, char out[43])
{
    (void)snprintf(out, 43, "%.4s%06u1121030000%011u%011u", message->mti, message->stan % 1000000u,
                   123456u, 0u);
}
