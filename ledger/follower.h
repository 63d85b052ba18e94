/* follower.h - agents that carry durable batches from the journal to where they are kept or read:
 * `ref` (ref.mdb), `state` (state.mdb) and `archive` (archive-NNNNNNNN.seg).
 *
 * DESIGN  A follower has a cursor of its own: the batch that it keeps durably, stored in the same
 * transaction as its data, and published as `passed`: a segment is used again when all have passed
 * it. It reads frames back from the journal (journal_read) and never slows the shard. Out of space:
 * it tries again every second, and the journal fills in the meantime. Any other error latches.
 *
 * THREAD  `ref` has one of its own: a change is to be seen within milliseconds. `state` and
 * `archive` share one at batch priority: they wait for the disk inside a turn. In the simulator the
 * one thread. follower_pause() and the questions: any thread. */
#ifndef LEDGER_FOLLOWER_H
#define LEDGER_FOLLOWER_H

#include "base/agent.h"
#include "ledger/journal.h"
#include "ledger/ledger.h"
#include "ledger/ref.h"
#include "ledger/store.h"

#define FOLLOWER_REF_WITHIN_NS    (2 * NS_PER_MS) /* a change of ref waits this long for company */
#define FOLLOWER_STATE_EVERY_NS   NS_PER_S
#define FOLLOWER_STATE_RECORDS    65536u
#define FOLLOWER_ARCHIVE_EVERY_NS (200 * NS_PER_MS)
#define FOLLOWER_RETRY_NS         NS_PER_S
#define FOLLOWER_POLL_NS          (3 * NS_PER_MS)  /* while batches come: no bell per batch */
#define FOLLOWER_RING_NS          (20 * NS_PER_MS) /* bells are no nearer: who is awake polls */

enum follower_kind { FOLLOWER_REF, FOLLOWER_STATE, FOLLOWER_ARCHIVE, FOLLOWERS_COUNT };

struct followers_options {
    struct disk *disk; /* of the archive */
    struct state_store *state;
    struct ledger_ref *ref;
    struct ledger_board *board; /* ref_batch is published there; may be NULL in tests */
    uint64_t archive_bytes;     /* of one archive file; 0 = 64 MiB */
    uint32_t dirty_rows_max;    /* of the state follower; 0 = 131072 */
};

struct followers;
size_t followers_bytes(const struct followers_options *options);
/* Takes memory, finds the end of the archive (and cuts what a crash left half-written there), pins
 * the journal. Before journal_recover(). NULL: `text` says why. */
NODISCARD struct followers *followers_open(const struct followers_options *options,
                                           struct journal *journal, char *text, size_t text_size);
void followers_close(struct followers *followers);
/* What journal_recover() must know. */
void followers_cursors(const struct followers *followers,
                       struct journal_cursor cursors[FOLLOWERS_COUNT]);
struct agent *followers_agent(struct followers *followers, enum follower_kind kind);
/* All durable batches are in all three when it returns true: at start and in tools. */
NODISCARD bool followers_catch_up(struct followers *followers, char *text, size_t text_size);
/* Any thread. */
uint64_t followers_passed(const struct followers *followers, enum follower_kind kind);
void followers_pause(struct followers *followers, enum follower_kind kind, bool paused);
/* "" while all is well, else one sentence (the follower retries or has stopped). */
const char *followers_failure(const struct followers *followers, enum follower_kind kind);
/* The shard's thread, after its batch became durable: rings the followers' threads, at most every
 * FOLLOWER_RING_NS. Returns when it wants to be called again (boot time; INT64_MAX = not before the
 * next batch). */
int64_t followers_ring(struct followers *followers, int64_t now_ns);

/* ---- workers and the reference snapshot -------------------------------------------------------
 */

/* A worker after renew(): it decides from this batch on. */
void ledger_ref_renewed(struct ledger_board *board, uint16_t worker, uint64_t batch);
/* Has every worker renewed to a snapshot that holds `batch`? Then `card block` may return. */
bool ledger_ref_passed(const struct ledger_board *board, uint16_t workers_count, uint64_t batch);

#endif
