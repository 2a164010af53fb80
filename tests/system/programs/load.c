/* SPDX-License-Identifier: Apache-2.0 */
/* Calls services from many threads of one process until told to stop, and says on stdout, in JSON lines, what came of it:
 * a line of counts every 50 ms, and at the end one with all of it. Closing its stdin tells it to stop.
 *
 *   load [-X METHOD] [-H 'name: value']... [-b BODY_BYTES] [-c CALLERS] [-n CALLS] [-t TIMEOUT_MS] [-a ATTEMPTS]
 *        [-p PAUSE_MS] [-l LEDGER] [-r] SERVICE [PATH] [-- the same for another group of callers]...
 *
 * With -l each call carries a unique x-request-id, and LEDGER gets a line for each: id, began, ended (seconds since 1970),
 * error's name, status, attempts, endpoint. With -r what a call took beyond its TIMEOUT_MS is told (`late_us`, `late`) without
 * the time that threads of this process were ready to run and had no processor, which no library can make good. */
#include <mesh/mesh.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_GROUPS = 4, MAX_HEADERS = 8, MAX_FAILURES = 100, MAX_CALLERS = 1024, TICK_MS = 50 };

struct group {
    const char *service, *path, *method;
    struct mesh_header headers[MAX_HEADERS + 1]; /* one more for the id */
    size_t n_headers;
    char *body;
    size_t body_len;
    unsigned long callers, calls, pause_ms; /* calls 0: until told to stop */
    uint32_t timeout_ms, attempts;
    FILE *ledger;
    bool is_strict; /* -r */

    _Atomic unsigned long taken, running;
    pthread_mutex_t lock; /* what follows */
    uint64_t done, failed, attempts_made, body_bytes, max_us, late_us;
    json_t *statuses, *errors, *endpoints, *zones, *failures, *late;
};

static struct group groups[MAX_GROUPS];
static size_t n_groups;
static struct mesh_client *client;
static _Atomic bool stopping;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(2);
}

static uint64_t now_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

static void sleep_ms(unsigned long ms)
{
    struct timespec pause = { (time_t) (ms / 1000), (long) (ms % 1000) * 1000000 };

    nanosleep(&pause, NULL);
}

/* ---- counting ---- */

static void count(json_t *tally, const char *name)
{
    json_t *n = json_object_get(tally, name);

    if (n)
        json_integer_set(n, json_integer_value(n) + 1);
    else
        json_object_set_new(tally, name, json_integer(1));
}

/* A call worth telling of: it failed, or it came too late. */
static void keep(json_t *list, const char *error, const struct mesh_response *response, uint64_t took)
{
    if (json_array_size(list) < MAX_FAILURES)
        json_array_append_new(list, json_pack("{s:f s:s s:s s:i s:s s:I}", "at", (double) now_us(CLOCK_REALTIME) / 1e6,
                                              "error", error, "detail", mesh_response_detail(response), "attempts",
                                              (int) mesh_response_attempts(response), "endpoint",
                                              mesh_response_endpoint(response), "took_us", (json_int_t) took));
}

static void note(struct group *group, int32_t err, const struct mesh_response *response, uint64_t took, uint64_t late)
{
    char status[12];
    const void *body;
    size_t len;

    mesh_response_body(response, &body, &len);
    snprintf(status, sizeof status, "%d", (int) mesh_response_status(response));
    pthread_mutex_lock(&group->lock);
    group->done++;
    group->attempts_made += mesh_response_attempts(response);
    group->body_bytes += len;
    if (took > group->max_us)
        group->max_us = took;
    if (late > group->late_us) {
        group->late_us = late;
        keep(group->late, mesh_error_name(err), response, took);
    }
    if (err) {
        group->failed++;
        count(group->errors, mesh_error_name(err));
        keep(group->failures, mesh_error_name(err), response, took);
    } else {
        count(group->statuses, status);
        count(group->endpoints, mesh_response_endpoint(response));
        count(group->zones, mesh_response_zone(response));
    }
    pthread_mutex_unlock(&group->lock);
}

static void write_ledger(struct group *group, const char *id, uint64_t began, int32_t err,
                         const struct mesh_response *response)
{
    const char *endpoint = mesh_response_endpoint(response);

    pthread_mutex_lock(&group->lock);
    fprintf(group->ledger, "%s %.6f %.6f %s %d %" PRIu32 " %s\n", id, (double) began / 1e6,
            (double) now_us(CLOCK_REALTIME) / 1e6, mesh_error_name(err), (int) mesh_response_status(response),
            mesh_response_attempts(response), *endpoint ? endpoint : "-");
    pthread_mutex_unlock(&group->lock);
}

/* ---- lateness ---- */

/* One thread: microseconds that it has been ready to run without running (Documentation/scheduler/sched-stats.rst). */
static uint64_t starved_thread_us(const char *name)
{
    char path[300], text[100] = "";
    unsigned long long waited = 0;
    char *at = text;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", name);
    file = fopen(path, "r");
    if (!file)
        return 0; /* it has ended */
    if (fgets(text, sizeof text, file)) {
        strtoull(text, &at, 10);
        waited = strtoull(at, NULL, 10);
    }
    fclose(file);
    return waited / 1000;
}

static uint64_t starved_us(void)
{
    DIR *threads = opendir("/proc/self/task");
    uint64_t sum = 0;

    for (struct dirent *entry; threads && (entry = readdir(threads));)
        if (entry->d_name[0] != '.')
            sum += starved_thread_us(entry->d_name);
    if (threads)
        closedir(threads);
    return sum;
}

static uint64_t lateness(const struct group *group, uint64_t took, uint64_t starved_before)
{
    uint64_t limit = group->timeout_ms * UINT64_C(1000);
    uint64_t starved;

    if (!group->is_strict || took <= limit)
        return 0;
    starved = starved_us() - starved_before;
    return took - limit > starved ? took - limit - starved : 0;
}

/* ---- calling ---- */

static void call(struct group *group, unsigned long number)
{
    struct mesh_header headers[MAX_HEADERS + 1];
    struct mesh_response *response = NULL;
    struct mesh_request_opts opts;
    uint64_t wall = now_us(CLOCK_REALTIME), began, took, starved = group->is_strict ? starved_us() : 0;
    char id[48];
    int32_t err;

    memcpy(headers, group->headers, sizeof headers);
    mesh_request_opts_init(&opts, sizeof opts);
    opts.service = group->service;
    opts.path = group->path;
    opts.method = group->method;
    opts.headers = headers;
    opts.n_headers = group->n_headers;
    opts.body = group->body;
    opts.body_len = group->body_len;
    opts.timeout_ms = group->timeout_ms;
    opts.max_attempts = group->attempts;
    if (group->ledger) {
        snprintf(id, sizeof id, "%ld-%zu-%lu", (long) getpid(), (size_t) (group - groups), number);
        headers[opts.n_headers++] = (struct mesh_header){ "x-request-id", id };
    }
    began = now_us(CLOCK_MONOTONIC);
    err = mesh_request(client, &opts, &response);
    took = now_us(CLOCK_MONOTONIC) - began;
    note(group, err, response, took, lateness(group, took, starved));
    if (group->ledger)
        write_ledger(group, id, wall, err, response);
    mesh_response_free(response);
}

static void *run_caller(void *arg)
{
    struct group *group = arg;
    unsigned long number;

    while (!atomic_load(&stopping)) {
        number = atomic_fetch_add(&group->taken, 1);
        if (group->calls && number >= group->calls)
            break;
        call(group, number);
        if (group->pause_ms)
            sleep_ms(group->pause_ms);
    }
    atomic_fetch_sub(&group->running, 1);
    while (!atomic_load(&stopping)) /* its figures in /proc end with it: see starved_us() */
        sleep_ms(TICK_MS);
    return NULL;
}

/* ---- telling ---- */

static json_t *describe(struct group *group, bool all)
{
    json_t *object, *copy;

    pthread_mutex_lock(&group->lock);
    object = json_pack("{s:s s:I s:I s:I s:I s:O s:O s:O}", "service", group->service, "calls",
                       (json_int_t) group->done, "failed", (json_int_t) group->failed, "attempts",
                       (json_int_t) group->attempts_made, "running", (json_int_t) atomic_load(&group->running),
                       "endpoints", group->endpoints, "statuses", group->statuses, "errors", group->errors);
    if (all)
        json_object_update_new(object,
                               json_pack("{s:O s:O s:O s:I s:I s:I}", "failures", group->failures, "late", group->late,
                                         "zones", group->zones, "max_us", (json_int_t) group->max_us, "late_us",
                                         (json_int_t) group->late_us, "body_bytes", (json_int_t) group->body_bytes));
    json_object_set_new(object, "at", json_real((double) now_us(CLOCK_REALTIME) / 1e6));
    copy = json_deep_copy(object); /* while the tallies stand still */
    json_decref(object);
    pthread_mutex_unlock(&group->lock);
    return copy;
}

static void tell(bool final)
{
    json_t *all = json_array(), *line;

    for (size_t i = 0; i < n_groups; i++)
        json_array_append_new(all, describe(&groups[i], final));
    line = json_pack("{s:b s:o}", "final", final, "groups", all);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static bool any_running(void)
{
    for (size_t i = 0; i < n_groups; i++)
        if (atomic_load(&groups[i].running))
            return true;
    return false;
}

/* Until stdin ends or every group has made its calls. */
static void watch(void)
{
    struct pollfd input = { .fd = 0, .events = POLLIN };
    char byte;

    while (any_running()) {
        if (poll(&input, 1, TICK_MS) > 0 && read(0, &byte, 1) <= 0) {
            atomic_store(&stopping, true);
            input.fd = -1;
        }
        tell(false);
    }
}

/* ---- the command line ---- */

static void add_header(struct group *group, char *text)
{
    char *colon = strstr(text, ": ");

    if (!colon || group->n_headers == MAX_HEADERS)
        die(text, "not a header, or one too many");
    *colon = '\0';
    group->headers[group->n_headers++] = (struct mesh_header){ text, colon + 2 };
}

static unsigned long number_of(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*end)
        die(text, "not a number");
    return number;
}

static void make_body(struct group *group, size_t len)
{
    group->body = malloc(len + 1);
    if (!group->body)
        die("body", "out of memory");
    memset(group->body, 'x', len);
    group->body_len = len;
}

static void take_option(struct group *group, int option)
{
    switch (option) {
    case 'X':
        group->method = optarg;
        break;
    case 'H':
        add_header(group, optarg);
        break;
    case 'b':
        make_body(group, number_of(optarg));
        break;
    case 'c':
        group->callers = number_of(optarg);
        break;
    case 'n':
        group->calls = number_of(optarg);
        break;
    case 't':
        group->timeout_ms = (uint32_t) number_of(optarg);
        break;
    case 'a':
        group->attempts = (uint32_t) number_of(optarg);
        break;
    case 'p':
        group->pause_ms = number_of(optarg);
        break;
    case 'r':
        group->is_strict = true;
        break;
    case 'l':
        group->ledger = fopen(optarg, "w");
        if (!group->ledger)
            die(optarg, strerror(errno));
        break;
    default:
        exit(2);
    }
}

/* argv[0] is the program's name or the "--" in front. */
static void read_group(int argc, char **argv)
{
    struct group *group = &groups[n_groups++];
    int option;

    group->callers = 1;
    optind = 0;
    while ((option = getopt(argc, argv, "+X:H:b:c:n:t:a:p:l:r")) != -1)
        take_option(group, option);
    if (optind == argc || argc - optind > 2 || group->callers > MAX_CALLERS)
        die("usage", "load [OPTION...] SERVICE [PATH] [-- ...]");
    group->service = argv[optind];
    group->path = optind + 1 < argc ? argv[optind + 1] : NULL;
    pthread_mutex_init(&group->lock, NULL);
    group->statuses = json_object();
    group->errors = json_object();
    group->endpoints = json_object();
    group->zones = json_object();
    group->failures = json_array();
    group->late = json_array();
}

static void read_groups(int argc, char **argv)
{
    int begin = 0;

    for (int i = 1; i <= argc; i++) {
        if (i < argc && strcmp(argv[i], "--") != 0)
            continue;
        if (n_groups == MAX_GROUPS)
            die("usage", "too many groups");
        read_group(i - begin, argv + begin);
        begin = i;
    }
}

/* ---- the threads ---- */

static size_t start_group(struct group *group, pthread_t *threads)
{
    atomic_store(&group->running, group->callers);
    for (size_t i = 0; i < group->callers; i++)
        if (pthread_create(&threads[i], NULL, run_caller, group) != 0)
            die("thread", "cannot be started");
    return group->callers;
}

static void free_group(struct group *group)
{
    if (group->ledger)
        fclose(group->ledger);
    json_decref(group->statuses);
    json_decref(group->errors);
    json_decref(group->endpoints);
    json_decref(group->zones);
    json_decref(group->failures);
    json_decref(group->late);
    free(group->body);
}

int main(int argc, char **argv)
{
    static pthread_t threads[MAX_GROUPS * MAX_CALLERS];
    size_t n = 0;
    char why[512];

    read_groups(argc, argv);
    if (mesh_client_new(NULL, &client, why, sizeof why) != 0)
        die("client", why);
    for (size_t i = 0; i < n_groups; i++)
        n += start_group(&groups[i], threads + n);
    watch();
    atomic_store(&stopping, true);
    for (size_t i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    tell(true);
    mesh_client_free(client);
    for (size_t i = 0; i < n_groups; i++)
        free_group(&groups[i]);
    return 0;
}
