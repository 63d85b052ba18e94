/* dial.c - connections that we open: to the endpoints whose owner this worker is.
 *
 * DESIGN  One link an endpoint. When it is lost, or cannot be had, the next attempt comes after a
 * back-off that doubles from DIAL_FIRST_NS to DIAL_LAST_NS, each with up to half of it by chance,
 * so that many do not come back at once. What was outstanding on a lost link waits for its
 * deadline: silence is unknown, never a decline.
 *
 * Runs on the endpoint's worker; bound: LIMIT_ENDPOINTS_MAX. */
#include "switch/state.h"

#define DIAL_FIRST_NS  (50 * NS_PER_MS)
#define DIAL_LAST_NS   (5 * NS_PER_S)
#define DIAL_SHIFT_MAX 7u

static void dial(struct worker *worker, struct endpoint *endpoint);

void dial_start(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->options.endpoints_count; i++) {
        if (worker_owns(worker, (uint16_t)i)) {
            dial(worker, &worker->endpoints[i]);
        }
    }
}

static void dial_later(struct worker *worker, struct endpoint *endpoint)
{
    uint32_t shift =
        endpoint->dials_failed < DIAL_SHIFT_MAX ? endpoint->dials_failed : DIAL_SHIFT_MAX;
    int64_t wait_ns = DIAL_FIRST_NS << shift;
    wait_ns = wait_ns < DIAL_LAST_NS ? wait_ns : DIAL_LAST_NS;
    wait_ns = wait_ns / 2 + (int64_t)(worker_random(worker) % (uint64_t)(wait_ns / 2));
    endpoint->dials_failed++;
    wheel_arm(&worker->wheel, &endpoint->dial.entry, worker_now_ns(worker) + wait_ns);
}

static void dial(struct worker *worker, struct endpoint *endpoint)
{
    const struct worker_endpoint *to = &worker->options.endpoints[endpoint->number];
    struct link *link = link_take(worker);
    if (link == NULL) {
        dial_later(worker, endpoint); /* the last connection is not yet gone */
        return;
    }
    link->endpoint = endpoint->number;
    link->party = to->party;
    link->dialect = to->dialect;
    link->framing = to->framing;
    link->window = worker->options.parties[to->party].window;
    link->peer = to->address;
    worker->links_dialled_count++;
    struct io *io = worker->agent.io;
    enum io_err err =
        io->ops->connect(io, io_token(worker->agent.id, TOKEN_LINK, link->generation, link->index),
                         &to->address, to->connect_ns, &link->socket);
    if (err != IO_OK) {
        link_forget(worker, link);
        dial_later(worker, endpoint);
        return;
    }
    endpoint->link_index = link->index;
    endpoint->link_generation = link->generation;
}

void dial_timer(struct worker *worker, struct endpoint *endpoint)
{
    if (atomic_load_explicit(&worker->state, memory_order_relaxed) == WORKER_SERVING) {
        dial(worker, endpoint);
    }
}

void dial_connected(struct worker *worker, struct link *link, int32_t result)
{
    struct endpoint *endpoint = &worker->endpoints[link->endpoint];
    const struct worker_endpoint *to = &worker->options.endpoints[link->endpoint];
    if (link->state != LINK_DIALLING) {
        return;
    }
    if (result < 0) {
        if (endpoint->dials_failed % 16 == 0) { /* it is said once, and then now and again */
            log_event(LOG_WARN, "link.not_connected", log_text("endpoint", to->name),
                      log_text("to", to->address.text), log_text("why", io_err_text(result)),
                      log_number("attempts", endpoint->dials_failed + 1));
        }
        link_close(worker, link, io_err_text(result));
        return;
    }
    link_opened(worker, link);
    endpoint->dials_failed = 0;
    endpoint->is_signed_on = !to->adapter->sign_on;
    log_event(LOG_INFO, "link.connected", log_text("endpoint", to->name),
              log_text("to", to->address.text));
    dial_show(worker, endpoint);
    network_opened(worker, endpoint);
}

void dial_lost(struct worker *worker, uint16_t number)
{
    struct endpoint *endpoint = &worker->endpoints[number];
    endpoint->link_index = LINK_NONE;
    endpoint->is_signed_on = false;
    wheel_disarm(&worker->wheel, &endpoint->echo.entry);
    dial_show(worker, endpoint);
    dial_later(worker, endpoint);
}

bool dial_is_up(const struct worker *worker, uint16_t number)
{
    must(worker_owns(worker, number));
    const struct endpoint *endpoint = &worker->endpoints[number];
    return endpoint->link_index != LINK_NONE && endpoint->is_signed_on &&
           worker->links[endpoint->link_index].generation == endpoint->link_generation &&
           worker->links[endpoint->link_index].state == LINK_OPEN;
}

struct link *dial_link(struct worker *worker, uint16_t number)
{
    return dial_is_up(worker, number) ? &worker->links[worker->endpoints[number].link_index] : NULL;
}

/* ---- the board
 * ------------------------------------------------------------------------------------- */

void dial_show(struct worker *worker, struct endpoint *endpoint)
{
    struct board_endpoint *line = &worker->options.board->endpoints[endpoint->number];
    uint32_t is_up = dial_is_up(worker, endpoint->number);
    if (atomic_load_explicit(&line->is_up, memory_order_relaxed) != is_up) {
        atomic_store_explicit(&line->changed_ns, worker_now_ns(worker), memory_order_relaxed);
        atomic_store_explicit(&line->is_up, is_up, memory_order_relaxed);
    }
    atomic_store_explicit(&line->in_flight, endpoint->outstanding, memory_order_relaxed);
}

void dial_count_sent(struct worker *worker, uint16_t number)
{
    atomic_fetch_add_explicit(&worker->options.board->endpoints[number].sent_count, 1,
                              memory_order_relaxed);
}
