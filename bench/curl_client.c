/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface: one thread keeps --callers calls in flight on one HTTP/2 connection. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load/load.h"

struct transfer {
    CURL *easy;
    size_t received;
    int grpc_status; /* -1: none came */
    uint64_t began_ns;
};

struct program {
    const struct load_options *options;
    struct load_message message;
    struct curl_slist *headers;
    char url[64];
};

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    struct transfer *transfer = user;

    (void) data;
    transfer->received += size * n;
    return size * n;
}

/* Trailers come here too. */
static size_t on_header(char *line, size_t size, size_t n, void *user)
{
    static const char status[] = "grpc-status:";
    struct transfer *transfer = user;

    if (size * n > sizeof status && strncasecmp(line, status, sizeof status - 1) == 0)
        transfer->grpc_status = (int) strtol(line + sizeof status - 1, NULL, 10);
    return size * n;
}

static void set_tls(CURL *easy, const char *ca)
{
    if (!ca) {
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca);
}

static void prepare(struct transfer *transfer, const struct program *program)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        load_fail("curl: no memory");
    transfer->easy = easy;
    set_tls(easy, program->options->ca);
    curl_easy_setopt(easy, CURLOPT_URL, program->url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, program->message.data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) program->message.len);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, program->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
}

static void begin(CURLM *multi, struct transfer *transfer, uint64_t now_ns)
{
    transfer->received = 0;
    transfer->grpc_status = -1;
    transfer->began_ns = now_ns;
    curl_multi_add_handle(multi, transfer->easy);
}

static void end(struct load_thread *thread, const struct program *program, CURLM *multi, const CURLMsg *message)
{
    uint64_t now_ns = load_now_ns();
    struct transfer *transfer;

    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    if (message->data.result != CURLE_OK)
        load_fail("curl: error %d, %s", (int) message->data.result, curl_easy_strerror(message->data.result));
    if (transfer->grpc_status != 0 || transfer->received != program->message.len)
        load_fail("curl: grpc-status %d, %zu of %zu bytes", transfer->grpc_status, transfer->received,
                  program->message.len);
    load_count(thread, transfer->began_ns, now_ns);
    curl_multi_remove_handle(multi, transfer->easy);
    begin(multi, transfer, now_ns);
}

static CURLM *make_multi(void)
{
    CURLM *multi = curl_multi_init();

    if (!multi)
        load_fail("curl: no memory");
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
    curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, 1000L);
    return multi;
}

static void keep_in_flight(struct load_thread *thread, void *argument)
{
    const struct program *program = argument;
    uint32_t n = program->options->callers;
    struct transfer *transfers = calloc(n, sizeof *transfers);
    CURLM *multi = make_multi();
    const CURLMsg *message;
    int left;

    for (uint32_t i = 0; transfers && i < n; i++) {
        prepare(&transfers[i], program);
        begin(multi, &transfers[i], load_now_ns());
    }
    while (load_goes_on(thread)) {
        curl_multi_perform(multi, &left);
        while ((message = curl_multi_info_read(multi, &left)))
            end(thread, program, multi, message);
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    for (uint32_t i = 0; transfers && i < n; i++) {
        curl_multi_remove_handle(multi, transfers[i].easy);
        curl_easy_cleanup(transfers[i].easy);
    }
    curl_multi_cleanup(multi);
    free(transfers);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = { "multi", NULL };
    struct load_options options;
    struct program program = { .options = &options };

    load_parse(argc, argv, modes, &options);
    curl_global_init(CURL_GLOBAL_ALL);
    program.message = load_message(options.body);
    program.headers = curl_slist_append(NULL, "Content-Type: application/grpc");
    program.headers = curl_slist_append(program.headers, "TE: trailers");
    snprintf(program.url, sizeof program.url, "%s://%s:%u/bench.Echo/Say", options.ca ? "https" : "http",
             options.ca ? "localhost" : "127.0.0.1", options.port);
    load_run(&options, 1, keep_in_flight, &program);
    curl_slist_free_all(program.headers);
    free(program.message.data);
    return 0;
}
