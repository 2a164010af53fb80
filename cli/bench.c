/* SPDX-License-Identifier: Apache-2.0 */
/* `mesh bench`: many calls, counted and timed. Watches over the threads that make them. */
#include "cli/bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <mesh/mesh.h>

#include "cli/output.h"

enum { STANDARD_DURATION_MS = 10 * 1000, MOST_CALLERS = 10000, STACK_BYTES = 256 * 1024 };
/* How often is looked: for the progress line; for threads that must notice that it is over. */
enum { PROGRESS_MS = 1000, NUDGE_MS = 20, SAME_INTERRUPT_US = 300 * 1000 };

static const struct option_spec options[] = {
    CALL_OPTIONS(struct bench_values, call),
    { 'c', "callers", "CALLERS", "calls under way at once; 1", OPTION_NUMBER, offsetof(struct bench_values, callers), 1,
      MOST_CALLERS },
    { 'n', "calls", "CALLS", "end after so many", OPTION_NUMBER, offsetof(struct bench_values, calls), 1,
      UINT64_C(1000000000000) },
    { 0, "duration", "TIME", "end after so long; 10s", OPTION_DURATION, offsetof(struct bench_values, duration_ms), 1,
      UINT64_C(30) * 24 * 3600 * 1000 },
    { 0, "rate", "N", "begin N calls a second, however long the answers take", OPTION_NUMBER,
      offsetof(struct bench_values, rate), 1, 10000000 },
    { 0, "async", NULL, "one thread with a completion queue instead of CALLERS threads", OPTION_FLAG,
      offsetof(struct bench_values, async), 0, 0 },
    { 0, "json", NULL, "print one object", OPTION_FLAG, offsetof(struct bench_values, json), 0, 0 },
};

/* ---- workers ---- */

static bool start_worker(struct bench_worker *worker, bool async)
{
    pthread_attr_t attributes;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    error = pthread_create(&worker->thread, &attributes, async ? bench_queue_calls : bench_wait_calls, worker);
    pthread_attr_destroy(&attributes);
    if (error)
        complain("cannot start a thread: %s", strerror(error));
    return error == 0;
}

/* Ends whatever a thread is waiting in. It may not have begun to wait: done again until it has ended. */
static void nudge(struct bench_worker *worker)
{
    if (atomic_load(&worker->ended))
        return;
    if (worker->queue)
        mesh_queue_wake(worker->queue);
    else
        pthread_kill(worker->thread, SIGUSR2);
}

static bool all_ended(struct bench_worker *workers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!atomic_load(&workers[i].ended))
            return false;
    return true;
}

static void merge(struct bench_counts *into, struct bench_counts *from)
{
    into->calls += from->calls;
    into->failed += from->failed;
    into->attempts += from->attempts;
    histogram_merge(&into->latency_us, &from->latency_us);
    tally_merge(&into->statuses, &from->statuses);
    tally_merge(&into->errors, &from->errors);
    tally_merge(&into->endpoints, &from->endpoints);
    tally_merge(&into->zones, &from->zones);
    tally_free(&from->statuses);
    tally_free(&from->errors);
    tally_free(&from->endpoints);
    tally_free(&from->zones);
}

/* ---- watching ---- */

static void show_progress(const struct bench *bench, struct bench_worker *workers, size_t n)
{
    double seconds = (double) (now_us() - bench->begin_us) / 1e6;
    uint64_t done = 0, failed = 0;
    char calls[32], rate[32], failures[32];

    for (size_t i = 0; i < n; i++) {
        done += atomic_load_explicit(&workers[i].done, memory_order_relaxed);
        failed += atomic_load_explicit(&workers[i].failed, memory_order_relaxed);
    }
    fprintf(stderr, "\r\033[K%.0f s  %s calls  %s/s  %s failed", seconds, group_digits(done, calls),
            group_digits((uint64_t) ((double) done / seconds), rate), group_digits(failed, failures));
}

static void on_nudge(int signal_number)
{
    (void) signal_number;
}

/* Ctrl-C and the end of a worker are taken in watch() only; a nudge interrupts the thread that gets it. */
static void set_signals(sigset_t *taken)
{
    struct sigaction nudged = { .sa_handler = on_nudge };

    sigaction(SIGUSR2, &nudged, NULL);
    sigemptyset(taken);
    sigaddset(taken, SIGINT);
    sigaddset(taken, SIGTERM);
    sigaddset(taken, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, taken, NULL);
}

/* The first Ctrl-C ends the benchmark, a later one the program. One that comes at once is the same one: who passes it on
 * to a process often passes it to its group as well. */
static void on_interrupt(struct bench *bench, int signal_number, uint64_t *since_us)
{
    sigset_t ends;

    if (!atomic_exchange(&bench->stop, true))
        *since_us = now_us();
    if (now_us() - *since_us < SAME_INTERRUPT_US)
        return;
    sigemptyset(&ends);
    sigaddset(&ends, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
    raise(signal_number);
}

static void watch(struct bench *bench, const sigset_t *taken, struct bench_worker *workers, size_t n)
{
    bool terminal = isatty(STDERR_FILENO);
    uint64_t shown_us = bench->begin_us, interrupted_us = 0;

    while (!all_ended(workers, n)) {
        bool stopping = atomic_load(&bench->stop);
        struct timespec wait = { stopping ? 0 : PROGRESS_MS / 1000, stopping ? NUDGE_MS * 1000000L : 0 };
        int came = sigtimedwait(taken, NULL, &wait);

        if (came == SIGINT || came == SIGTERM)
            on_interrupt(bench, came, &interrupted_us);
        for (size_t i = 0; i < n && atomic_load(&bench->stop); i++)
            nudge(&workers[i]);
        if (terminal && now_us() - shown_us >= UINT64_C(1000) * PROGRESS_MS) {
            shown_us = now_us();
            show_progress(bench, workers, n);
        }
    }
    if (terminal)
        fputs("\r\033[K", stderr);
}

/* ---- the whole ---- */

static uint64_t cpu_now_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Returns how many run; 0: none, and that was told. */
static size_t start_all(struct bench *bench, struct bench_worker *workers, size_t n, bool async)
{
    for (size_t i = 0; i < n; i++) {
        int32_t err = async ? mesh_queue_new(bench->client, &workers[i].queue) : 0;

        workers[i].bench = bench;
        if (err)
            complain_error(err, NULL);
        if (err || !start_worker(&workers[i], async)) {
            atomic_store(&bench->stop, true);
            return i;
        }
    }
    return n;
}

static int measure(struct bench *bench, const struct bench_values *values, const sigset_t *taken)
{
    size_t n = values->async ? 1 : bench->callers, started;
    struct bench_worker *workers = must_have(calloc(n, sizeof *workers));
    struct bench_counts *counts = must_have(calloc(1, sizeof *counts));
    uint64_t cpu_us = cpu_now_us(), elapsed_us;
    int code = EXIT_MESH_FAILED;

    bench->begin_us = now_us();
    if (values->calls == 0)
        bench->end_us = bench->begin_us + (values->duration_ms ? values->duration_ms : STANDARD_DURATION_MS) * 1000;
    started = start_all(bench, workers, n, values->async);
    watch(bench, taken, workers, started);
    elapsed_us = now_us() - bench->begin_us;
    cpu_us = cpu_now_us() - cpu_us;
    for (size_t i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        merge(counts, &workers[i].counts);
    }
    for (size_t i = 0; i < n; i++)
        mesh_queue_free(workers[i].queue);
    if (started == n)
        code = bench_report(counts, elapsed_us, cpu_us, values->json);
    free(counts);
    free(workers);
    if (atomic_load(&bench->refused))
        code = complain_error(MESH_ERR_INVALID, bench->why);
    return code;
}

static int run(void *user, char **arguments, size_t n_arguments)
{
    struct bench_values *values = user;
    struct bench bench = { .opts = call_options(&values->call, arguments, n_arguments) };
    char why[512] = "";
    sigset_t taken;
    int32_t err;
    int code;

    if (values->calls && values->duration_ms) {
        complain("--calls and --duration exclude each other: one of them ends the benchmark");
        return EXIT_BAD_USAGE;
    }
    bench.callers = values->callers ? values->callers : 1;
    bench.calls = values->calls;
    bench.rate = values->rate;
    set_signals(&taken);
    err = mesh_client_new(NULL, &bench.client, why, sizeof why);
    code = err ? complain_error(err, why) : measure(&bench, values, &taken);
    mesh_client_free(bench.client);
    call_free(&values->call);
    return code;
}

const struct command bench_command = {
    .name = "bench",
    .arguments = "SERVICE [PATH]",
    .summary = "send many requests and tell how fast, from where and how many failed",
    .notes = "Ctrl-C ends it early with what there is. With --rate a call's latency counts from the moment at which it "
             "was due,\n"
             "so that a slow answer does not hide the calls that waited behind it. Exit code 1 when every call failed.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .least_arguments = 1,
    .most_arguments = 2,
    .values_size = sizeof(struct bench_values),
    .run = run,
};
