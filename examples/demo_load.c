/* SPDX-License-Identifier: Apache-2.0 */
/* What scripts/demo shows: callers that never pause, and a line a second on where their requests went.
 *
 *   demo_load [-c CALLERS] SERVICE [PATH]
 *
 * Ends on Ctrl-C (or SIGTERM) with the sum of it all; exit code 1 when any call failed. */
#include <mesh/mesh.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Latencies are counted in buckets: 16 to each power of two, so a percentile is right within 6 %. */
enum { MOST_CALLERS = 256, MOST_ENDPOINTS = 16, LINEAR = 16, BUCKETS = LINEAR * 40 };

struct endpoint_tally {
    char address[64], zone[32];
    uint64_t calls;
};

struct tally {
    uint64_t calls, failed, retried, longest_us;
    uint64_t latencies[BUCKETS];
    struct endpoint_tally endpoints[MOST_ENDPOINTS];
    size_t n_endpoints;
    char first_failure[512];
};

struct caller {
    pthread_t thread;
    pthread_mutex_t lock; /* its tally: the caller adds, the main thread takes it away once a second */
    struct tally tally;
};

static const char *service, *path = "/";
static struct caller callers[MOST_CALLERS];
static size_t n_callers = 16;
static _Atomic bool stopping;

/* ---- counting ---- */

static size_t bucket_of(uint64_t us)
{
    size_t shift = 0;

    while (us >> shift >= (uint64_t) 2 * LINEAR)
        shift++;
    us = shift * LINEAR + (us >> shift);
    return us < BUCKETS ? (size_t) us : BUCKETS - 1;
}

static double bucket_ms(size_t bucket)
{
    size_t shift = bucket < (size_t) 2 * LINEAR ? 0 : bucket / LINEAR - 1;

    return (double) (((uint64_t) bucket - shift * LINEAR) << shift) / 1000;
}

static double percentile_ms(const struct tally *tally, double share)
{
    uint64_t wanted = (uint64_t) (share * (double) tally->calls), seen = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        seen += tally->latencies[i];
        if (seen > wanted)
            return bucket_ms(i);
    }
    return 0;
}

/* Sorted by zone and address, so that columns stand where one looks for them. NULL: there are too many. */
static struct endpoint_tally *endpoint_of(struct tally *tally, const char *address, const char *zone)
{
    struct endpoint_tally *all = tally->endpoints;
    size_t at = 0;
    int order = 1;

    for (; at < tally->n_endpoints; at++) {
        order = strcmp(all[at].zone, zone);
        if (order == 0)
            order = strcmp(all[at].address, address);
        if (order >= 0)
            break;
    }
    if (at < tally->n_endpoints && order == 0)
        return &all[at];
    if (tally->n_endpoints == MOST_ENDPOINTS)
        return NULL;
    memmove(&all[at + 1], &all[at], (tally->n_endpoints++ - at) * sizeof *all);
    all[at].calls = 0;
    snprintf(all[at].address, sizeof all[at].address, "%s", address);
    snprintf(all[at].zone, sizeof all[at].zone, "%s", zone);
    return &all[at];
}

static void count_endpoint(struct tally *tally, const char *address, const char *zone, uint64_t calls)
{
    struct endpoint_tally *endpoint = endpoint_of(tally, address, zone);

    if (endpoint)
        endpoint->calls += calls;
}

static void count_failure(struct tally *tally, uint64_t n, const char *sentence)
{
    tally->failed += n;
    if (n > 0 && !*tally->first_failure)
        snprintf(tally->first_failure, sizeof tally->first_failure, "%s", sentence);
}

/* A status other than 2xx is a failure, too: the application did not get what it asked for. */
static void count_call(struct tally *tally, int32_t err, const struct mesh_response *response)
{
    uint64_t us = mesh_response_duration_us(response);
    uint32_t attempts = mesh_response_attempts(response);
    int32_t status = mesh_response_status(response);
    char sentence[64];

    tally->calls++;
    tally->retried += attempts > 1;
    tally->latencies[bucket_of(us)]++;
    if (us > tally->longest_us)
        tally->longest_us = us;
    if (err == 0)
        count_endpoint(tally, mesh_response_endpoint(response), mesh_response_zone(response), 1);
    if (err == 0 && status / 100 == 2)
        return;
    snprintf(sentence, sizeof sentence, "status %" PRId32, status);
    count_failure(tally, 1, err == 0 ? sentence : response ? mesh_response_detail(response) : mesh_strerror(err));
}

static void add(struct tally *sum, const struct tally *part)
{
    sum->calls += part->calls;
    sum->retried += part->retried;
    count_failure(sum, part->failed, part->first_failure);
    if (part->longest_us > sum->longest_us)
        sum->longest_us = part->longest_us;
    for (size_t i = 0; i < BUCKETS; i++)
        sum->latencies[i] += part->latencies[i];
    for (size_t i = 0; i < part->n_endpoints; i++)
        count_endpoint(sum, part->endpoints[i].address, part->endpoints[i].zone, part->endpoints[i].calls);
}

/* ---- calling ---- */

static void *call_on_and_on(void *arg)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .service = service, .path = path };
    struct caller *caller = arg;
    struct mesh_response *response;
    int32_t err;

    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        err = mesh_request(NULL, &opts, &response);
        pthread_mutex_lock(&caller->lock);
        count_call(&caller->tally, err, response);
        pthread_mutex_unlock(&caller->lock);
        mesh_response_free(response);
    }
    return NULL;
}

static void start_callers(void)
{
    for (size_t i = 0; i < n_callers; i++) {
        int err;

        pthread_mutex_init(&callers[i].lock, NULL);
        err = pthread_create(&callers[i].thread, NULL, call_on_and_on, &callers[i]);
        if (err) {
            fprintf(stderr, "demo_load: thread %zu of %zu: %s\n", i + 1, n_callers, strerror(err));
            exit(1);
        }
    }
}

/* What happened since the last time. */
static void collect(struct tally *second)
{
    memset(second, 0, sizeof *second);
    for (size_t i = 0; i < n_callers; i++) {
        pthread_mutex_lock(&callers[i].lock);
        add(second, &callers[i].tally);
        memset(&callers[i].tally, 0, sizeof callers[i].tally);
        pthread_mutex_unlock(&callers[i].lock);
    }
}

/* ---- telling ---- */

/* "zone:port": an endpoint's name in few characters. */
static const char *short_name(const struct endpoint_tally *endpoint, char name[sizeof endpoint->zone + 8])
{
    const char *colon = strrchr(endpoint->address, ':');

    snprintf(name, sizeof endpoint->zone + 8, "%s%.7s", endpoint->zone, colon ? colon : "");
    return name;
}

static uint64_t calls_of(const struct tally *tally, const char *address)
{
    for (size_t i = 0; i < tally->n_endpoints; i++)
        if (strcmp(tally->endpoints[i].address, address) == 0)
            return tally->endpoints[i].calls;
    return 0;
}

static void print_titles(const struct tally *sum)
{
    char name[sizeof sum->endpoints->zone + 8];

    printf("%5s%8s", "time", "calls/s");
    for (size_t i = 0; i < sum->n_endpoints; i++)
        printf("%9s", short_name(&sum->endpoints[i], name));
    printf("%8s%7s%8s%8s\n", "retried", "failed", "p50 ms", "p99 ms");
}

/* A column for each endpoint that ever answered, so that one that does not any more shows as 0. */
static void print_second(const struct tally *sum, const struct tally *second, unsigned number)
{
    printf("%5u%8" PRIu64, number, second->calls);
    for (size_t i = 0; i < sum->n_endpoints; i++)
        printf("%9" PRIu64, calls_of(second, sum->endpoints[i].address));
    printf("%8" PRIu64 "%7" PRIu64 "%8.2f%8.2f\n", second->retried, second->failed, percentile_ms(second, 0.5),
           percentile_ms(second, 0.99));
}

static void print_sum(const struct tally *sum)
{
    printf("%" PRIu64 " calls, %" PRIu64 " retried, %" PRIu64 " failed\n", sum->calls, sum->retried, sum->failed);
    printf("p50 %.2f ms, p99 %.2f ms, longest %.0f ms\n", percentile_ms(sum, 0.5), percentile_ms(sum, 0.99),
           (double) sum->longest_us / 1000);
    for (size_t i = 0; i < sum->n_endpoints; i++)
        printf("  zone %-8s %-22s %9" PRIu64 "\n", sum->endpoints[i].zone, sum->endpoints[i].address,
               sum->endpoints[i].calls);
    if (*sum->first_failure)
        printf("the first failure: %s\n", sum->first_failure);
}

static void tell(struct tally *sum, unsigned number)
{
    static struct tally second;
    size_t known = sum->n_endpoints;

    collect(&second);
    add(sum, &second);
    if (sum->n_endpoints > known)
        print_titles(sum);
    print_second(sum, &second, number);
    fflush(stdout);
}

/* Until the next full second. False: a signal says that it is enough. */
static bool wait_second(const sigset_t *ends, const struct timespec *begin, unsigned number)
{
    struct timespec now, left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left.tv_sec = begin->tv_sec + (time_t) number - now.tv_sec;
    left.tv_nsec = begin->tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_nsec += 1000000000;
        left.tv_sec--;
    }
    if (left.tv_sec < 0)
        left = (struct timespec){ 0, 0 };
    return sigtimedwait(ends, NULL, &left) < 0 && (errno == EAGAIN || errno == EINTR);
}

static void read_arguments(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "c:")) == 'c')
        n_callers = strtoul(optarg, NULL, 10);
    if (option != -1 || n_callers < 1 || n_callers > MOST_CALLERS || argc - optind < 1 || argc - optind > 2) {
        fprintf(stderr, "usage: demo_load [-c CALLERS] SERVICE [PATH]   (up to %d callers)\n", MOST_CALLERS);
        exit(2);
    }
    service = argv[optind];
    if (argc - optind == 2)
        path = argv[optind + 1];
}

int main(int argc, char **argv)
{
    static struct tally sum, rest;
    struct timespec begin;
    unsigned number = 1;
    sigset_t ends;

    read_arguments(argc, argv);
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* for all threads: the main one asks for them */
    clock_gettime(CLOCK_MONOTONIC, &begin);
    start_callers();
    while (wait_second(&ends, &begin, number))
        tell(&sum, number++);
    atomic_store(&stopping, true);
    for (size_t i = 0; i < n_callers; i++)
        pthread_join(callers[i].thread, NULL);

    collect(&rest);
    add(&sum, &rest);
    print_sum(&sum);
    return sum.failed > 0;
}
