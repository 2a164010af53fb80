/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to "probe" at a steady rate, whatever happens, and beside them what its standard input says. A line of JSON comes
 * back for each line, in words that grpc_caller.py takes too:
 *
 *   probe SERVICE RATE        so many calls a second from now on
 *   until SERVICE PATH TEXT   calls until an answer has the text: {"at_us": when, "calls": how many}
 *   mark                      what comes from here on is looked at:
 *   stall                     {"calls": N, "failed": N, "longest_ms": from when a call was due to its end, the longest}
 *
 * The arguments are KEY=VALUE of its configuration. */
#include <mesh/mesh.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load/load.h"

enum { MOST_LINE = 1024, MOST_WORDS = 4, MOST_EVENTS = 64 };

#define NS_PER_S     UINT64_C(1000000000)
#define PATIENCE_MS  120000
#define BETWEEN_NS   500000 /* two calls of `until` */
#define HANG_GUARD_S 60

static const struct mesh_header headers[] = { { "content-type", "application/grpc" }, { "te", "trailers" } };

/* What the calls at a steady rate have seen. */
struct seen {
    uint64_t calls, failed, longest_ns;
};

struct prober {
    struct mesh_client *client;
    char service[256];
    uint64_t every_ns;
    pthread_t thread;
    pthread_mutex_t mutex; /* of seen */
    struct seen seen;
};

static uint64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static struct mesh_request_opts call_of(const char *service, const char *path)
{
    struct mesh_request_opts call;

    mesh_request_opts_init(&call, sizeof call);
    call.service = service;
    call.method = "POST";
    call.path = path;
    call.headers = headers;
    call.n_headers = sizeof headers / sizeof headers[0];
    call.timeout_ms = PATIENCE_MS;
    return call;
}

/* ---- at a steady rate ---- */

static void note(struct prober *prober, const struct mesh_event *event)
{
    uint64_t took = load_now_ns() - event->tag;
    bool failed = event->err != 0 || mesh_response_status(event->response) != 200;

    mesh_response_free(event->response);
    pthread_mutex_lock(&prober->mutex);
    prober->seen.calls++;
    prober->seen.failed += failed;
    if (took > prober->seen.longest_ns)
        prober->seen.longest_ns = took;
    pthread_mutex_unlock(&prober->mutex);
}

static void take(struct prober *prober, struct mesh_queue *queue, uint32_t wait_ms)
{
    struct mesh_event events[MOST_EVENTS];
    int32_t n = mesh_queue_next(queue, events, MOST_EVENTS, wait_ms);

    if (n < 0)
        load_fail("mesh: %s", mesh_strerror(n));
    for (int32_t i = 0; i < n; i++)
        note(prober, &events[i]);
}

/* A call's tag is when it was due. */
static void *probe(void *argument)
{
    struct prober *prober = argument;
    struct mesh_request_opts call = call_of(prober->service, "/bench/probe");
    struct mesh_queue *queue;
    uint64_t due = load_now_ns();

    if (mesh_queue_new(prober->client, &queue) != 0)
        load_fail("mesh: no queue");
    for (;;) {
        uint64_t now = load_now_ns();
        int32_t err = 0;

        if (now < due) {
            take(prober, queue, (uint32_t) ((due - now) / 1000000 + 1));
            continue;
        }
        err = mesh_request_start(prober->client, &call, queue, due, NULL);
        if (err != 0)
            load_fail("mesh: %s", mesh_strerror(err));
        due += prober->every_ns;
    }
    return NULL;
}

static void start_probing(struct prober *prober, const char *service, unsigned long rate)
{
    snprintf(prober->service, sizeof prober->service, "%s", service);
    prober->every_ns = NS_PER_S / (rate > 0 ? rate : 1);
    if (pthread_create(&prober->thread, NULL, probe, prober) != 0)
        load_fail("no thread");
    printf("{}\n");
}

static struct seen taken(struct prober *prober)
{
    struct seen seen;

    pthread_mutex_lock(&prober->mutex);
    seen = prober->seen;
    prober->seen = (struct seen){ 0 };
    pthread_mutex_unlock(&prober->mutex);
    return seen;
}

/* ---- until an answer is there ---- */

static bool answers(struct mesh_client *client, const struct mesh_request_opts *call, const char *text)
{
    struct mesh_response *response;
    const void *body = NULL;
    size_t len = 0;
    bool found;

    mesh_request(client, call, &response);
    if (!response)
        load_fail("mesh: no memory");
    mesh_response_body(response, &body, &len);
    found = mesh_response_error(response) == 0 && body && memmem(body, len, text, strlen(text));
    mesh_response_free(response);
    return found;
}

static void call_until(struct mesh_client *client, const char *service, const char *path, const char *text)
{
    struct mesh_request_opts call = call_of(service, path);
    uint64_t until = load_now_ns() + HANG_GUARD_S * NS_PER_S;
    unsigned calls = 1;

    for (; !answers(client, &call, text); calls++) {
        if (load_now_ns() > until)
            load_fail("no answer to %s has %s", path, text);
        nanosleep(&(struct timespec){ .tv_nsec = BETWEEN_NS }, NULL);
    }
    printf("{\"at_us\": %llu, \"calls\": %u}\n", (unsigned long long) wall_us(), calls);
}

static void tell_stall(struct prober *prober)
{
    struct seen seen = taken(prober);

    printf("{\"calls\": %llu, \"failed\": %llu, \"longest_ms\": %.3f}\n", (unsigned long long) seen.calls,
           (unsigned long long) seen.failed, (double) seen.longest_ns / 1e6);
}

/* In place; what is not there is empty. */
static void split(char *line, const char *words[MOST_WORDS])
{
    for (size_t i = 0; i < MOST_WORDS; i++) {
        char *word = strsep(&line, " \n");

        words[i] = word ? word : "";
    }
}

static void obey(struct prober *prober, char *line)
{
    const char *words[MOST_WORDS];

    split(line, words);
    if (strcmp(words[0], "probe") == 0) {
        start_probing(prober, words[1], strtoul(words[2], NULL, 10));
    } else if (strcmp(words[0], "until") == 0) {
        call_until(prober->client, words[1], words[2], words[3]);
    } else if (strcmp(words[0], "mark") == 0) {
        taken(prober);
        printf("{}\n");
    } else if (strcmp(words[0], "stall") == 0) {
        tell_stall(prober);
    } else {
        load_fail("not known: %s", words[0]);
    }
    fflush(stdout);
}

static struct mesh_client *make_client(int n, char **settings)
{
    struct mesh_conf *conf = mesh_conf_new();
    struct mesh_client *client;
    char why[256];

    if (!conf)
        load_fail("mesh: no memory for a configuration");
    if (mesh_conf_read_env(conf, why, sizeof why) != 0)
        load_fail("mesh: %s", why);
    for (int i = 0; i < n; i++) {
        char *equals = strchr(settings[i], '=');

        if (!equals)
            load_fail("%s is not KEY=VALUE", settings[i]);
        *equals = '\0';
        if (mesh_conf_set(conf, settings[i], equals + 1, why, sizeof why) != 0)
            load_fail("mesh: %s", why);
    }
    if (mesh_client_new(conf, &client, why, sizeof why) != 0)
        load_fail("mesh: %s", why);
    mesh_conf_free(conf);
    return client;
}

/* The prober ends with the process. */
int main(int argc, char **argv)
{
    struct prober prober = { .mutex = PTHREAD_MUTEX_INITIALIZER };
    char line[MOST_LINE];

    prober.client = make_client(argc - 1, argv + 1);
    while (fgets(line, sizeof line, stdin))
        obey(&prober, line);
    _Exit(0);
}
