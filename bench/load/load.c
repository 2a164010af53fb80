/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that make calls, and what is measured around them: wall time, latencies, CPU of three processes, context switches,
 * memory. */
#include "load/load.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "load/histogram.h"

enum phase { WARMING, MEASURING, ENDED };

/* Where others take the processor nothing may run for longer than a short measurement lasts: it then goes on until a call has ended. */
#define PATIENCE_S 10.0
#define STEP_S     0.01

struct load {
    _Atomic int phase;
    _Atomic bool counted; /* a call has ended while measuring */
    load_work *work;
    void *program;
};

struct load_thread {
    struct load *load;
    pthread_t thread;
    struct histogram latencies;
};

/* Where the counters stand at one moment. */
struct moment {
    uint64_t now_ns;
    double client_us, server_us, proxy_us;
    long switches;
};

void load_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    /* Other threads are in the middle of calls: nothing is torn down under them. */
    _Exit(1);
}

uint64_t load_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000U + (uint64_t) now.tv_nsec;
}

bool load_goes_on(const struct load_thread *thread)
{
    return atomic_load_explicit(&thread->load->phase, memory_order_relaxed) != ENDED;
}

void load_count(struct load_thread *thread, uint64_t began_ns, uint64_t ended_ns)
{
    struct load *load = thread->load;

    if (atomic_load_explicit(&load->phase, memory_order_relaxed) != MEASURING)
        return;
    histogram_add(&thread->latencies, ended_ns - began_ns);
    if (!atomic_load_explicit(&load->counted, memory_order_relaxed))
        atomic_store_explicit(&load->counted, true, memory_order_relaxed);
}

struct load_message load_message(uint32_t body)
{
    uint32_t len_bytes = body < 128 ? 1 : 2, message = 1 + len_bytes + body;
    struct load_message out = { calloc(1, 5 + (size_t) message), 5 + (size_t) message };

    if (!out.data)
        load_fail("no memory for a message");
    out.data[3] = (uint8_t) (message >> 8);
    out.data[4] = (uint8_t) message;
    out.data[5] = 0x0a; /* field 1, bytes; its length is a varint of at most 14 bits */
    out.data[6] = (uint8_t) (body < 128 ? body : (body & 0x7f) | 0x80);
    if (len_bytes == 2)
        out.data[7] = (uint8_t) (body >> 7);
    memset(out.data + 6 + len_bytes, 'x', body);
    return out;
}

/* ---- what is measured ---- */

/* CPU time of another process, all its threads, microseconds. */
static double cpu_of(long pid)
{
    clockid_t clock;
    struct timespec used;

    if (pid == 0)
        return 0;
    if (clock_getcpuclockid((pid_t) pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        load_fail("process %ld is gone", pid);
    return (double) used.tv_sec * 1e6 + (double) used.tv_nsec / 1e3;
}

static double microseconds(const struct timeval *time)
{
    return (double) time->tv_sec * 1e6 + (double) time->tv_usec;
}

static struct moment look(const struct load_options *options)
{
    struct rusage usage;
    struct moment moment;

    getrusage(RUSAGE_SELF, &usage);
    moment.now_ns = load_now_ns();
    moment.client_us = microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
    moment.server_us = cpu_of(options->server);
    moment.proxy_us = cpu_of(options->proxy);
    moment.switches = usage.ru_nvcsw;
    return moment;
}

/* The most memory a process had resident, KiB. Not ru_maxrss: that remembers who we were before exec(). */
static long peak_memory(long pid)
{
    char path[64], line[256];
    long kib = 0;
    FILE *status;

    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    status = fopen(path, "r");
    if (!status)
        return 0;
    while (fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    fclose(status);
    return kib;
}

static void print(const struct load_options *options, const struct moment *a, const struct moment *b,
                  const struct histogram *latencies)
{
    double calls = (double) latencies->n, seconds = (double) (b->now_ns - a->now_ns) / 1e9;

    if (latencies->n == 0)
        load_fail("no call ended in %.1f s", seconds);
    printf("{\"calls\": %.0f, \"seconds\": %.3f, \"calls_per_s\": %.1f, ", calls, seconds, calls / seconds);
    printf("\"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.0f, ", histogram_quantile(latencies, 0.5) / 1e3,
           histogram_quantile(latencies, 0.99) / 1e3, (double) latencies->most_ns / 1e3);
    printf("\"cpu_us_per_call\": %.3f, \"server_cpu_us_per_call\": %.3f, \"proxy_cpu_us_per_call\": %.3f, ",
           (b->client_us - a->client_us) / calls, (b->server_us - a->server_us) / calls,
           (b->proxy_us - a->proxy_us) / calls);
    printf("\"switches_per_call\": %.3f, \"rss_kib\": %ld, \"proxy_rss_kib\": %ld}\n",
           (double) (b->switches - a->switches) / calls, peak_memory((long) getpid()),
           options->proxy ? peak_memory(options->proxy) : 0);
}

/* ---- the run ---- */

static void *work(void *argument)
{
    struct load_thread *self = argument;

    self->load->work(self, self->load->program);
    return NULL;
}

static void sleep_for(double seconds)
{
    struct timespec span = { (time_t) seconds, (long) ((seconds - (double) (time_t) seconds) * 1e9) };

    while (nanosleep(&span, &span) != 0)
        continue;
}

static struct load_thread *start(struct load *load, uint32_t n)
{
    struct load_thread *threads = calloc(n, sizeof *threads);

    if (!threads)
        load_fail("no memory for %u threads", n);
    for (uint32_t i = 0; i < n; i++) {
        threads[i].load = load;
        if (pthread_create(&threads[i].thread, NULL, work, &threads[i]) != 0)
            load_fail("thread %u cannot be started", i);
    }
    return threads;
}

void load_run(const struct load_options *options, uint32_t n, load_work *work_of_each, void *program)
{
    struct load load = { .work = work_of_each, .program = program };
    struct load_thread *threads = start(&load, n);
    struct moment a, b;

    sleep_for(options->warm_up);
    a = look(options);
    atomic_store(&load.phase, MEASURING);
    sleep_for(options->seconds);
    for (double waited = 0; !atomic_load(&load.counted) && waited < PATIENCE_S; waited += STEP_S)
        sleep_for(STEP_S);
    atomic_store(&load.phase, ENDED);
    b = look(options);
    for (uint32_t i = 0; i < n; i++)
        pthread_join(threads[i].thread, NULL);
    for (uint32_t i = 1; i < n; i++)
        histogram_merge(&threads[0].latencies, &threads[i].latencies);
    print(options, &a, &b, &threads[0].latencies);
    free(threads);
}
