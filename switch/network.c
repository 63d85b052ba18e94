/* network.c - our own 0800 on links that we dial: sign-on, sign-off and echo.
 *
 * DESIGN  Whether a counterparty wants a sign-on is its adapter's row; how often an idle link is
 * asked for an echo is the party's setting (0: never). Three echoes in a row without an answer and
 * the connection is given up and dialled again. STANs of these messages are this worker's own: they
 * move no money and are no business of the ledger.
 *
 * Runs on the endpoint's worker. */
#include "switch/state.h"

enum network_code { NETWORK_SIGN_ON = 1, NETWORK_SIGN_OFF = 2, NETWORK_ECHO = 301 };

#define ECHOES_SILENT_MAX 3u
#define SIGN_ON_AGAIN_NS  (5 * NS_PER_S)

static uint64_t now_de7(const struct worker *worker)
{
    struct clock_date date = clock_utc_date(worker->agent.clock->utc_ns);
    return ((((uint64_t)date.month * 100 + date.day) * 100 + date.hour) * 100 + date.minute) * 100 +
           date.second;
}

static bool say(struct worker *worker, struct endpoint *endpoint, enum network_code code)
{
    const struct worker_endpoint *to = &worker->options.endpoints[endpoint->number];
    struct link *link = link_find(worker, endpoint->link_index, endpoint->link_generation);
    size_t room;
    uint8_t *buffer = link == NULL ? NULL : link_reserve(link, &room);
    if (buffer == NULL) {
        return false;
    }
    endpoint->network_stan = endpoint->network_stan % 999999 + 1;
    struct adapter_leg leg = {
        .de7 = now_de7(worker), .stan = endpoint->network_stan, .institution = to->institution};
    uint32_t size;
    enum iso_err err =
        adapter_network_build(to->dialect, (uint16_t)code, &leg, buffer, room, &size);
    struct match_key key = match_key(endpoint->number, "0800", leg.de7, leg.stan);
    if (err != ISO_OK || match_add(worker, key, MATCH_NETWORK, (uint32_t)code, 0,
                                   worker_now_ns(worker) + to->answer_ns) == MATCH_NONE) {
        log_event(LOG_ALARM, "network.not_sent", log_text("endpoint", to->name),
                  log_text("why", iso_err_name(err)));
        return false;
    }
    link_send(worker, link, size);
    return true;
}

static void ask_again(struct worker *worker, struct endpoint *endpoint, int64_t wait_ns)
{
    wheel_disarm(&worker->wheel, &endpoint->echo.entry); /* 0: not again */
    if (wait_ns > 0) {
        wheel_arm(&worker->wheel, &endpoint->echo.entry, worker_now_ns(worker) + wait_ns);
    }
}

void network_opened(struct worker *worker, struct endpoint *endpoint)
{
    const struct worker_endpoint *to = &worker->options.endpoints[endpoint->number];
    endpoint->echoes_silent = 0;
    if (!endpoint->is_signed_on) {
        (void)say(worker, endpoint, NETWORK_SIGN_ON);
        ask_again(worker, endpoint, SIGN_ON_AGAIN_NS);
        return;
    }
    ask_again(worker, endpoint, to->echo_interval_ns);
}

void network_timer(struct worker *worker, struct endpoint *endpoint)
{
    const struct worker_endpoint *to = &worker->options.endpoints[endpoint->number];
    if (!endpoint->is_signed_on) {
        (void)say(worker, endpoint, NETWORK_SIGN_ON);
        ask_again(worker, endpoint, SIGN_ON_AGAIN_NS);
        return;
    }
    (void)say(worker, endpoint, NETWORK_ECHO);
    ask_again(worker, endpoint, to->echo_interval_ns);
}

void network_answer(struct worker *worker, struct endpoint *endpoint, uint16_t code,
                    const uint8_t de39[2])
{
    const struct worker_endpoint *to = &worker->options.endpoints[endpoint->number];
    endpoint->echoes_silent = 0;
    if (code != NETWORK_SIGN_ON || endpoint->is_signed_on) {
        return;
    }
    if (memcmp(de39, "00", 2) != 0) {
        log_event(LOG_ALARM, "sign_on.refused", log_text("endpoint", to->name));
        return; /* asked again by the timer */
    }
    endpoint->is_signed_on = true;
    log_event(LOG_INFO, "sign_on.done", log_text("endpoint", to->name));
    dial_show(worker, endpoint);
    ask_again(worker, endpoint, to->echo_interval_ns);
}

void network_silent(struct worker *worker, struct endpoint *endpoint)
{
    struct link *link = link_find(worker, endpoint->link_index, endpoint->link_generation);
    if (++endpoint->echoes_silent >= ECHOES_SILENT_MAX && link != NULL) {
        link_close(worker, link, "echoes are not answered");
    }
}
