/* host_look.c - see host.h: what the rows of the simulated ledger say. */
#include "ledger/shard.h"
#include "ledger/state.h"
#include "ledger/verify.h"
#include "tests/sim/host.h"

#include <stdio.h>
#include <string.h>

static struct ledger_state *state_of(const struct host *host)
{
    return host_ledger(host)->state;
}

uint64_t host_digest(const struct host *host)
{
    return ledger_state_digest(state_of(host));
}

const char *host_verify(const struct host *host)
{
    static struct ledger_verified verified;
    ledger_state_verify(state_of(host), &verified);
    return verified.is_ok ? NULL : verified.text;
}

uint64_t host_journaled_ruleset(const struct host *host)
{
    return state_of(host)->meta->ruleset;
}

void host_print_holds(struct host *host, const char *account)
{
    (void)account;
    struct ledger_state *state = state_of(host);
    uint32_t size;
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_hold); row++) {
        const struct ledger_hold *h = ledger_state_row(state, LEDGER_TABLE_hold, row, &size);
        if (h->state == LEDGER_HOLD_OPEN) {
            (void)printf("  hold %u: %lld from row %u\n", row, (long long)h->amount_minor,
                         h->debit_account - 1);
        }
    }
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_saf); row++) {
        const struct ledger_saf *s = ledger_state_row(state, LEDGER_TABLE_saf, row, &size);
        if (s->state != LEDGER_SAF_NONE) {
            (void)printf("  saf %u: reserved %lld from row %u mti %u stan %u sends %u\n", row,
                         (long long)s->reserved_minor, s->debit_account - 1, s->mti, s->stan,
                         s->sends_count);
        }
    }
}

void host_print_txns(struct host *host, uint32_t stan)
{
    struct ledger_state *state = state_of(host);
    uint64_t about = 0;
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_txn); row++) {
        uint32_t size;
        const struct ledger_txn *t = ledger_state_row(state, LEDGER_TABLE_txn, row, &size);
        about = t->stan == stan ? t->id : about;
        if (t->id != 0 && (t->stan == stan || (about != 0 && t->related == about))) {
            (void)printf(
                "  ledger: txn %llx %04u STAN %06u state %u flags %x DE39 %.2s booked %lld "
                "undone %lld refunded %lld related %llx\n",
                (unsigned long long)t->id, t->mti, t->stan, t->state, t->flags,
                (const char *)t->de39, (long long)t->booked_minor, (long long)t->undone_minor,
                (long long)t->refunded_minor, (unsigned long long)t->related);
        }
    }
}

bool host_balance(struct host *host, const char *account, int64_t *balance_minor,
                  int64_t *held_minor)
{
    struct ledger_state *state = state_of(host);
    for (uint32_t row = 0; row < ledger_state_rows(state, LEDGER_TABLE_account); row++) {
        uint32_t size;
        const struct ledger_account *a = ledger_state_row(state, LEDGER_TABLE_account, row, &size);
        const struct ledger_account_name *n =
            ledger_state_row(state, LEDGER_TABLE_account_name, row, &size);
        size_t length = strlen(account);
        if (a->currency != 0 && memcmp(n->name, account, length) == 0 &&
            (length == sizeof n->name || n->name[length] == ' ' || n->name[length] == 0)) {
            *balance_minor = a->posted_credit - a->posted_debit;
            *held_minor = a->pending_debit;
            return true;
        }
    }
    return false;
}
