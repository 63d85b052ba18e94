/* mesh.c - see mesh.h. */
#include "switch/mesh.h"

#include "base/mem.h"
#include "switch/state.h"

#include <string.h>

enum mesh_kind { MESH_SEND, MESH_NOT_SENT, MESH_ANSWER, MESH_ACCEPTED };

struct mesh_record {
    uint32_t kind; /* enum mesh_kind */
    uint32_t slot, generation;
    uint16_t endpoint;
    uint8_t attempt;
    char mti[4];
    uint64_t de7;
    uint32_t stan;
    uint32_t size; /* of message */
    uint32_t listener;
    io_socket socket;
    struct io_address peer;
    struct adapter_answer answer;
    uint8_t message[];
};
_Static_assert(sizeof(struct mesh_record) + LIMIT_FRAME_BYTES_MAX <= LIMIT_RECORD_BYTES_MAX,
               "the largest message fits a record");

struct mesh *mesh_create(uint16_t workers_count)
{
    must(workers_count <= LIMIT_WORKERS_MAX);
    struct mesh *mesh = mem_take(MEM_PLAIN, sizeof *mesh, "worker mesh");
    size_t bytes = (ring_bytes(MESH_RING_BYTES) + 63) & ~(size_t)63;
    uint8_t *memory =
        mem_take(MEM_SECRET, bytes * workers_count * workers_count, "worker mesh rings");
    mesh->workers_count = workers_count;
    for (uint16_t from = 0; from < workers_count; from++) {
        for (uint16_t to = 0; to < workers_count; to++) {
            mesh->rings[from][to] =
                ring_init(memory + bytes * ((size_t)from * workers_count + to), MESH_RING_BYTES);
        }
    }
    return mesh;
}

/* NULL: full. Published at the end of the turn. */
static struct mesh_record *reserve(struct worker *worker, uint16_t to, enum mesh_kind kind,
                                   uint32_t message_size)
{
    struct mesh *mesh = worker->options.mesh;
    must(mesh != NULL && to < mesh->workers_count && to != worker->options.index);
    struct mesh_record *record = ring_reserve(mesh->rings[worker->options.index][to],
                                              (uint32_t)sizeof *record + message_size);
    if (record != NULL) {
        memset(record, 0, sizeof *record);
        record->kind = (uint32_t)kind;
        record->size = message_size;
    }
    return record;
}

bool mesh_send(struct worker *worker, const struct txn *txn, struct span message)
{
    uint16_t endpoint = txn->forward.endpoint;
    struct mesh_record *record =
        reserve(worker, worker->options.endpoints[endpoint].owner, MESH_SEND, message.size);
    if (record == NULL) {
        return false;
    }
    record->slot = txn->index;
    record->generation = txn->generation;
    record->endpoint = endpoint;
    record->attempt = txn->forward.attempt;
    memcpy(record->mti, txn->msg.mti, sizeof record->mti);
    record->de7 = txn->forward.de7;
    record->stan = txn->forward.stan;
    memcpy(record->message, message.data, message.size);
    return true;
}

void mesh_answer(struct worker *worker, uint16_t to, uint32_t slot, uint32_t generation,
                 uint8_t attempt, const struct adapter_answer *answer)
{
    struct mesh_record *record = reserve(worker, to, MESH_ANSWER, 0);
    if (record == NULL) {
        log_event(LOG_ALARM, "mesh.answer_lost", log_number("worker", to));
        return;
    }
    record->slot = slot;
    record->generation = generation;
    record->attempt = attempt;
    record->answer = *answer;
}

bool mesh_accepted(struct worker *worker, uint16_t to, uint32_t listener, io_socket socket,
                   const struct io_address *peer)
{
    struct mesh_record *record = reserve(worker, to, MESH_ACCEPTED, 0);
    if (record == NULL) {
        return false;
    }
    record->listener = listener;
    record->socket = socket;
    record->peer = *peer;
    return true;
}

/* ---- the other end
 * ------------------------------------------------------------------------------------ */

/* The message of another worker's transaction, on our link. */
static bool send_for(struct worker *worker, uint16_t from, const struct mesh_record *record)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[record->endpoint];
    struct link *link = dial_link(worker, record->endpoint);
    size_t room = 0;
    uint8_t *buffer = link == NULL ? NULL : link_reserve(link, &room);
    if (buffer == NULL || room < record->size ||
        worker->endpoints[record->endpoint].outstanding >= endpoint->window) {
        return false;
    }
    struct match_key key = match_key(record->endpoint, record->mti, record->de7, record->stan);
    uint32_t index = match_add(worker, key, MATCH_REMOTE, record->slot, record->generation,
                               worker_now_ns(worker) + endpoint->answer_ns);
    if (index == MATCH_NONE) {
        return false;
    }
    worker->match.entries[index].worker = from;
    worker->match.entries[index].attempt = record->attempt;
    memcpy(buffer, record->message, record->size);
    link_send(worker, link, record->size);
    dial_count_sent(worker, record->endpoint);
    worker->crash_notes |= CRASH_FORWARD_SENT;
    return true;
}

static void take_not_sent(struct worker *worker, const struct mesh_record *record)
{
    struct txn *txn = txn_find(worker, record->slot, record->generation);
    if (txn != NULL && txn->stage == STAGE_MATCH && txn->forward.attempt == record->attempt) {
        txn->came = TXN_NOT_SENT;
        pipeline_run(worker, txn);
    }
}

static void take_record(struct worker *worker, uint16_t from, const struct mesh_record *record)
{
    switch ((enum mesh_kind)record->kind) {
    case MESH_SEND:
        if (!send_for(worker, from, record)) {
            struct mesh_record *back = reserve(worker, from, MESH_NOT_SENT, 0);
            if (back != NULL) { /* else its deadline tells */
                back->slot = record->slot;
                back->generation = record->generation;
                back->attempt = record->attempt;
            }
        }
        break;
    case MESH_NOT_SENT:
        take_not_sent(worker, record);
        break;
    case MESH_ANSWER:
        match_txn_answer(worker, record->slot, record->generation, record->attempt,
                         &record->answer);
        break;
    case MESH_ACCEPTED:
        worker->agent.io->ops->adopt(worker->agent.io, record->socket);
        link_accepted(worker, record->listener, record->socket, &record->peer);
        break;
    }
}

#define RECORDS_PER_TURN 1024u

uint32_t mesh_take(struct worker *worker)
{
    struct mesh *mesh = worker->options.mesh;
    uint32_t taken = 0;
    for (uint16_t from = 0; mesh != NULL && from < mesh->workers_count; from++) {
        if (from == worker->options.index) {
            continue;
        }
        struct ring *ring = mesh->rings[from][worker->options.index];
        uint32_t size;
        struct mesh_record *record;
        for (uint32_t i = 0; i < RECORDS_PER_TURN && (record = ring_peek(ring, &size)) != NULL;
             i++) {
            take_record(worker, from, record);
            secret_wipe(record->message, record->size);
            ring_next(ring);
            taken++;
        }
        ring_release(ring);
    }
    return taken;
}

bool mesh_pending(const struct worker *worker)
{
    const struct mesh *mesh = worker->options.mesh;
    for (uint16_t from = 0; mesh != NULL && from < mesh->workers_count; from++) {
        if (from != worker->options.index &&
            !ring_empty(mesh->rings[from][worker->options.index])) {
            return true;
        }
    }
    return false;
}

void mesh_flush(struct worker *worker)
{
    struct mesh *mesh = worker->options.mesh;
    for (uint16_t to = 0; mesh != NULL && to < mesh->workers_count; to++) {
        struct ring *ring = mesh->rings[worker->options.index][to];
        if (to != worker->options.index && ring_has_unpublished(ring)) {
            ring_publish(ring);
            bell_ring(mesh->agents[to]->bell);
        }
    }
}
