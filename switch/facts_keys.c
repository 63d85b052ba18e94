/* facts_keys.c - the 128-bit names under which the ledger knows a message (contract section 6).
 *
 * DESIGN  Each key is a keyed hash over a fixed layout of the parts, so equal parts give the same
 * key after a restart. The PAN never goes in: its card key stands for it (hsm/card_key.h), so that
 * who has the data directory alone cannot try PANs. */
#include "switch/state.h"

#include "hsm/card_key.h"

#include <string.h>

struct key_input {
    uint32_t size;
    uint8_t bytes[192];
};

static void put(struct key_input *input, const void *data, uint32_t size)
{
    must(input->size + size <= sizeof input->bytes);
    memcpy(input->bytes + input->size, data, size);
    input->size += size;
}

static void put_number(struct key_input *input, uint64_t value)
{
    put(input, &value, sizeof value);
}

static struct hash128 end(const struct key_input *input, const uint8_t *key)
{
    return hash128(input->bytes, input->size, key);
}

/* "Key": who asked, where, when, with which numbers. DE7 only counts where 12 and 13 are absent,
 * for a repeat may carry a new one. */
static struct hash128 replay_key(const struct txn *txn, const uint8_t *key)
{
    const struct ledger_request *request = &txn->request;
    bool has_local = iso_msg_has(&txn->msg, 12) || iso_msg_has(&txn->msg, 13);
    bool has_rrn = (request->flags & LEDGER_REQUEST_HAS_RRN) != 0;
    struct key_input input = {.size = 0};
    put(&input, "replay", 6);
    put_number(&input, request->party);
    put_number(&input, request->class);
    put_number(&input, request->de32);
    put_number(&input, request->stan);
    put(&input, request->terminal, sizeof request->terminal);
    put(&input, request->merchant, sizeof request->merchant);
    put_number(&input, has_local);
    put_number(&input, has_local ? request->local_time : request->de7);
    put_number(&input, has_rrn);
    if (has_rrn) {
        put(&input, request->rrn, sizeof request->rrn);
    }
    return end(&input, key);
}

/* "Content": what a repeat must have in common with its first time. */
static uint64_t content_of(const struct txn *txn, const uint8_t *key)
{
    static const uint8_t texts[] = {90, 95, 103};
    const struct ledger_request *request = &txn->request;
    struct key_input input = {.size = 0};
    put(&input, "content", 7);
    put(&input, request->card.bytes, sizeof request->card.bytes);
    put_number(&input, request->de3);
    put_number(&input, (uint64_t)request->amount_minor);
    put_number(&input, request->currency);
    for (uint32_t i = 0; i < countof(texts); i++) {
        char text[42];
        size_t size = 0;
        if (iso_msg_text(txn->dialect, &txn->msg, texts[i], text, sizeof text, &size)) {
            put(&input, &texts[i], 1);
            put(&input, text, (uint32_t)size);
        }
    }
    return end(&input, key).low;
}

static struct hash128 message_key(const struct ledger_request *request, uint8_t class,
                                  uint32_t stan, uint64_t de32, const uint8_t *key)
{
    struct key_input input = {.size = 0};
    put(&input, "message", 7);
    put_number(&input, request->party);
    put_number(&input, class);
    put_number(&input, stan);
    put_number(&input, de32);
    put(&input, request->card.bytes, sizeof request->card.bytes);
    put(&input, request->terminal, sizeof request->terminal);
    put(&input, request->merchant, sizeof request->merchant);
    return end(&input, key);
}

static struct hash128 rrn_key(const struct ledger_request *request, const uint8_t *key)
{
    struct key_input input = {.size = 0};
    put(&input, "rrn", 3);
    put_number(&input, request->party);
    put_number(&input, request->de32);
    put(&input, request->card.bytes, sizeof request->card.bytes);
    put(&input, request->rrn, sizeof request->rrn);
    put(&input, request->terminal, sizeof request->terminal);
    put(&input, request->merchant, sizeof request->merchant);
    return end(&input, key);
}

/* Of the institution that DE90 names. */
static uint64_t original_de32(const struct txn *txn)
{
    char de90[42];
    size_t size;
    int64_t de32 = 0;
    bool is_there = iso_msg_text(txn->dialect, &txn->msg, 90, de90, sizeof de90, &size) &&
                    size == 42 && bytes_to_number((const uint8_t *)de90 + 20, 11, &de32);
    return is_there ? (uint64_t)de32 : 0;
}

bool facts_keys(struct worker *worker, struct txn *txn)
{
    struct ledger_request *request = &txn->request;
    const uint8_t *key = worker->options.hash_key;
    if (!hsm_card_key_make(worker->options.card_keys, HSM_KEY_CURRENT, txn->pan, txn->pan_size,
                           request->card.bytes)) {
        return false;
    }
    request->replay_key = replay_key(txn, key);
    request->content = content_of(txn, key);
    request->self_key = message_key(request, request->class, request->stan, request->de32, key);
    request->rrn_key = rrn_key(request, key);
    if ((request->flags & LEDGER_REQUEST_HAS_DE90) != 0) {
        request->original_key = message_key(request, request->original_class,
                                            request->original_stan, original_de32(txn), key);
    }
    return true;
}
