/* http.c - /metrics, /healthz and /readyz, by libmicrohttpd in a thread of its own. Reads only. */
#include "switch/daemon.h"

#include "base/metric.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 32u
#define SECONDS_MAX     10u

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, "Content-Type",
                                  "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_metrics(struct MHD_Connection *connection)
{
    size_t size = metric_print(NULL, 0) + 4096; /* it may grow between the two calls */
    char *text = malloc(size);
    if (text == NULL) {
        return MHD_NO;
    }
    (void)metric_print(text, size);
    enum MHD_Result result = answer_text(connection, MHD_HTTP_OK, text);
    free(text);
    return result;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    const struct daemon *daemon = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    if (strcmp(url, "/metrics") == 0) {
        return answer_metrics(connection);
    }
    if (strcmp(url, "/healthz") == 0) {
        return answer_text(connection, MHD_HTTP_OK, "ok\n");
    }
    if (strcmp(url, "/readyz") == 0) {
        return atomic_load(&daemon->is_ready)
                   ? answer_text(connection, MHD_HTTP_OK, "ready\n")
                   : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "/metrics /healthz /readyz\n");
}

bool http_start(struct daemon *daemon, char *text, size_t text_size)
{
    const struct io_address *address = &daemon->conf->http;
    if (address->port == 0) {
        return true;
    }
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&v4.sin_addr, address->ip + 12, 4);
    memcpy(&v6.sin6_addr, address->ip, 16);
    unsigned flags =
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | (address->is_v4 ? 0u : MHD_USE_IPv6);
    const void *where = address->is_v4 ? (const void *)&v4 : (const void *)&v6;
    daemon->http = MHD_start_daemon(flags, 0, NULL, NULL, answer, daemon, MHD_OPTION_SOCK_ADDR,
                                    where, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                    MHD_OPTION_CONNECTION_TIMEOUT, SECONDS_MAX, MHD_OPTION_END);
    if (daemon->http == NULL) {
        (void)snprintf(text, text_size, "http.address: %s cannot be opened: is the port in use?",
                       address->text);
        return false;
    }
    return true;
}

void http_stop(struct daemon *daemon)
{
    if (daemon->http != NULL) {
        MHD_stop_daemon(daemon->http);
        daemon->http = NULL;
    }
}
