/* check.c - how the parts of a configuration fit together: every reference, every pair of numbers.
 *
 * Runs when each value is good by itself. Faults point at the value that is wrong, or at the record
 * that lacks one. */
#include "conf/load.h"

#include <string.h>

#define SETTLEMENT_BYTES_MAX 28u /* an account's name: DE102, DE103 ans..28 */
#define HOUSE_ACCOUNTS       4u  /* suspense and the like, beside one a party */

static void check_listeners(struct loading *loading);
static void check_parties(struct loading *loading);
static void check_keys(struct loading *loading);
static void check_issuer(struct loading *loading);
static void check_numbers(struct loading *loading);
static void check_mode(struct loading *loading);

void load_check(struct loading *loading)
{
    const struct conf_names *names = &loading->options->names;
    check_keys(loading);
    check_parties(loading);
    check_listeners(loading);
    check_issuer(loading);
    check_numbers(loading);
    check_mode(loading);
    if (names->rules != NULL) {
        names->rules(names->context, loading->conf, loading->report);
    }
}

/* ---- helpers --------------------------------------------------------------------------------- */

static struct conf_place record_place(const struct loading *loading, const char *group,
                                      const char *name, const char *member)
{
    char path[CONF_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s.%s.%s", group, name, member);
    return load_place(loading, path);
}

#define FAULT(loading, place, ...) conf_report_add((loading)->report, place, "", __VA_ARGS__)

static void suggest(struct loading *loading, struct conf_place place, const char *what,
                    const char *name, const char *const *names, uint32_t names_count)
{
    const char *nearest = conf_nearest(name, names, names_count);
    FAULT(loading, place, "there is no %s \"%s\"%s%s%s", what, name,
          nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
          nearest != NULL ? "\"?" : "");
}

/* The key's index; UINT16_MAX when the label is empty, or after a fault. */
static uint16_t key_of(struct loading *loading, struct conf_place place, const char *label,
                       const char *use)
{
    const struct conf *conf = loading->conf;
    if (label[0] == '\0') {
        return UINT16_MAX;
    }
    uint16_t index = conf_key_find(conf, label);
    if (index == UINT16_MAX) {
        const char *names[CONF_KEYS_MAX];
        for (uint32_t i = 0; i < conf->keys_count; i++) {
            names[i] = conf->keys[i].name;
        }
        suggest(loading, place, "key", label, names, conf->keys_count);
    } else if (strcmp(conf->keys[index].use, use) != 0) {
        FAULT(loading, place, "key \"%s\" is for %s, not for %s", label, conf->keys[index].use,
              use);
        return UINT16_MAX;
    }
    return index;
}

static void check_dialect(struct loading *loading, struct conf_place place, const char *name)
{
    const struct conf_names *names = &loading->options->names;
    char text[CONF_FAULT_TEXT_BYTES] = "";
    if (names->dialect != NULL &&
        !names->dialect(names->context, loading->conf, name, text, sizeof text)) {
        FAULT(loading, place, "dialect \"%s\": %s", name, text);
    }
}

static void check_framing(struct loading *loading, struct conf_place place, const char *name)
{
    const struct conf_names *names = &loading->options->names;
    if (names->framing != NULL && !names->framing(names->context, name)) {
        FAULT(loading, place, "there is no framing \"%s\"", name);
    }
}

/* ---- the parts ------------------------------------------------------------------------------- */

static void check_keys(struct loading *loading)
{
    const struct conf_names *names = &loading->options->names;
    for (uint32_t i = 0; i < loading->conf->keys_count; i++) {
        const struct conf_key *key = &loading->conf->keys[i];
        if (names->key_use != NULL && !names->key_use(names->context, key->use)) {
            FAULT(loading, record_place(loading, "keys", key->name, "use"),
                  "there is no key use \"%s\"", key->use);
        }
    }
}

static void check_endpoint(struct loading *loading, struct conf_party *party)
{
    struct conf *conf = loading->conf;
    const struct conf_names *names = &loading->options->names;
    party->endpoint = UINT16_MAX;
    if (party->connect.port == 0) {
        if (party->kind == CONF_PARTY_SCHEME) {
            FAULT(loading, party->place, "scheme \"%s\" needs `connect`: the address that we dial",
                  party->name);
        }
        return;
    }
    if (party->kind != CONF_PARTY_SCHEME) {
        FAULT(loading, record_place(loading, "parties", party->name, "connect"),
              "only a scheme is dialled; \"%s\" is an acquirer", party->name);
        return;
    }
    if (party->adapter[0] == '\0') {
        FAULT(loading, party->place, "scheme \"%s\" needs an adapter", party->name);
    } else if (names->adapter != NULL && !names->adapter(names->context, party->adapter)) {
        FAULT(loading, record_place(loading, "parties", party->name, "adapter"),
              "there is no adapter \"%s\"", party->adapter);
    }
    check_framing(loading, record_place(loading, "parties", party->name, "framing"),
                  party->framing);
    if (party->dialect[0] != '\0') {
        check_dialect(loading, record_place(loading, "parties", party->name, "dialect"),
                      party->dialect);
    }
    if (conf->endpoints_count == LIMIT_ENDPOINTS_MAX) {
        FAULT(loading, party->place, "more than %u parties that we dial", LIMIT_ENDPOINTS_MAX);
        return;
    }
    for (uint32_t i = 0; i < conf->endpoints_count; i++) {
        const struct conf_party *other = &conf->parties[conf->endpoints[i]];
        if (strcmp(other->connect.text, party->connect.text) == 0) {
            FAULT(loading, record_place(loading, "parties", party->name, "connect"),
                  "%s is already the address of \"%s\"", party->connect.text, other->name);
        }
    }
    party->endpoint = (uint16_t)conf->endpoints_count;
    conf->endpoints[conf->endpoints_count] = (uint16_t)(party - conf->parties);
    conf->endpoint_names[conf->endpoints_count] = party->name;
    conf->endpoints_count++;
}

static void check_parties(struct loading *loading)
{
    struct conf *conf = loading->conf;
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        struct conf_party *party = &conf->parties[i];
        struct conf_place place = record_place(loading, "parties", party->name, "settlement");
        size_t size = strlen(party->settlement);
        if (size > SETTLEMENT_BYTES_MAX || strncmp(party->settlement, "settlement/", 11) != 0 ||
            size == 11) {
            FAULT(loading, place,
                  "a settlement account is `settlement/NAME`, at most %u characters",
                  SETTLEMENT_BYTES_MAX);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(conf->parties[k].settlement, party->settlement) == 0) {
                FAULT(loading, place, "\"%s\" is already the account of \"%s\"", party->settlement,
                      conf->parties[k].name);
            }
        }
        party->zone_pin_key = key_of(loading, record_place(loading, "parties", party->name, "zpk"),
                                     party->zpk, "zone_pin");
        party->mac_key = key_of(loading, record_place(loading, "parties", party->name, "mac"),
                                party->mac, "mac");
        if (party->repeat_ns < party->answer_ns) {
            FAULT(
                loading, record_place(loading, "parties", party->name, "repeat"),
                "`repeat` is shorter than `answer`: the answer to a stored message would be late");
        }
        check_endpoint(loading, party);
    }
    if (conf->parties_count == 0) {
        FAULT(loading, load_place(loading, "parties."), "there is no party");
    }
}

static bool addresses_meet(const struct io_address *a, const struct io_address *b)
{
    static const uint8_t any[16], any_v4[16] = {[10] = 0xFF, 0xFF};
    const uint8_t *ips[2] = {a->ip, b->ip};
    if (a->port != b->port || a->port == 0) {
        return false;
    }
    for (uint32_t i = 0; i < 2; i++) {
        if (memcmp(ips[i], any, 16) == 0 || memcmp(ips[i], any_v4, 16) == 0) {
            return true;
        }
    }
    return memcmp(a->ip, b->ip, 16) == 0;
}

static void check_listeners(struct loading *loading)
{
    struct conf *conf = loading->conf;
    const char *names[LIMIT_PARTIES_MAX];
    for (uint32_t i = 0; i < conf->parties_count; i++) {
        names[i] = conf->parties[i].name;
    }
    for (uint32_t i = 0; i < conf->listeners_count; i++) {
        struct conf_listener *listener = &conf->listeners[i];
        struct conf_place place = record_place(loading, "listeners", listener->name, "address");
        check_dialect(loading, record_place(loading, "listeners", listener->name, "dialect"),
                      listener->dialect);
        check_framing(loading, record_place(loading, "listeners", listener->name, "framing"),
                      listener->framing);
        listener->party_index = conf_party_find(conf, listener->party);
        if (listener->party_index == UINT16_MAX) {
            suggest(loading, record_place(loading, "listeners", listener->name, "party"), "party",
                    listener->party, names, conf->parties_count);
        } else if (conf->parties[listener->party_index].kind != CONF_PARTY_ACQUIRER) {
            FAULT(loading, record_place(loading, "listeners", listener->name, "party"),
                  "\"%s\" is a scheme; it does not come to a listener", listener->party);
        }
        for (uint32_t k = 0; k < i; k++) {
            if (addresses_meet(&conf->listeners[k].address, &listener->address)) {
                FAULT(loading, place, "%s is already the address of listener \"%s\"",
                      listener->address.text, conf->listeners[k].name);
            }
        }
        if (addresses_meet(&conf->http, &listener->address)) {
            FAULT(loading, place, "%s is already the address of http", listener->address.text);
        }
        for (uint32_t k = 0; k < conf->endpoints_count; k++) {
            const struct conf_party *party = &conf->parties[conf->endpoints[k]];
            if (strcmp(party->connect.text, listener->address.text) == 0) {
                FAULT(loading, place, "%s is what we dial for \"%s\"", listener->address.text,
                      party->name);
            }
        }
    }
    if (conf->listeners_count == 0) {
        FAULT(loading, load_place(loading, "listeners"), "there is no listener");
    }
}

static void check_issuer(struct loading *loading)
{
    const struct conf *conf = loading->conf;
    (void)key_of(loading, load_place(loading, "issuer.cvk"), conf->issuer_cvk, "cvk");
    (void)key_of(loading, load_place(loading, "issuer.pvk"), conf->issuer_pvk, "pvk");
    const struct conf_digits *bins = &conf->issuer_bins;
    for (uint32_t i = 0; i < bins->count; i++) {
        for (uint32_t k = 0; k < bins->count; k++) {
            size_t size = strlen(bins->items[i]);
            if (i != k && strncmp(bins->items[i], bins->items[k], size) == 0 &&
                (i < k || strlen(bins->items[k]) != size)) {
                FAULT(loading, load_place(loading, "issuer.bins"), "%s is within %s",
                      bins->items[k], bins->items[i]);
            }
        }
    }
}

static void check_numbers(struct loading *loading)
{
    const struct conf *conf = loading->conf;
    for (uint32_t i = 0; i < conf->endpoints_count; i++) {
        const struct conf_party *party = &conf->parties[conf->endpoints[i]];
        if (conf->drain_ns <= party->answer_ns) {
            FAULT(loading, load_place(loading, "drain"),
                  "`drain` must be longer than the `answer` of \"%s\"", party->name);
        }
    }
    if (conf->accounts_max < conf->parties_count + HOUSE_ACCOUNTS) {
        FAULT(loading, load_place(loading, "limits.accounts"),
              "no room for the house accounts of %u parties", conf->parties_count);
    }
    if (conf->journal_segment_bytes % 4096 != 0) {
        FAULT(loading, load_place(loading, "journal.segment_bytes"), "not a multiple of 4096B");
    }
    if (conf->request_age_max_ns != 0 && conf->request_age_max_ns >= conf->replay_keep_ns) {
        FAULT(loading, load_place(loading, "ledger.request_age_max"),
              "must be shorter than ledger.replay_keep: a repeat must meet its decision");
    }
}

static void check_mode(struct loading *loading)
{
    const struct conf *conf = loading->conf;
    if (conf->mode == CONF_MODE_PRODUCTION && conf->hsm_demo_keys[0] != '\0') {
        FAULT(loading, load_place(loading, "hsm.demo_keys"),
              "mode: production takes no keys from a file");
    }
    if (conf->mode == CONF_MODE_PRODUCTION && conf->memory == CONF_MEMORY_AHEAD) {
        FAULT(loading, load_place(loading, "memory"), "mode: production locks all memory at start");
    }
}
