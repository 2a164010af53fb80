/* SPDX-License-Identifier: Apache-2.0 */
/* The schedule and the records of the fault rigs' clients. */
#include "faults/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RESERVE_US = 3000000 };

static FILE *out;

static void misused(const char *what)
{
    fprintf(stderr, "fault client: what is \"%s\"?\n", what);
    exit(2);
}

static double number(const char *text, char **end)
{
    double value = strtod(text, end);

    if (*end == text || !(value >= 0))
        misused(text);
    return value;
}

static uint64_t whole(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);

    if (*text == '\0' || *end != '\0')
        misused(text);
    return value;
}

static uint64_t requests_of(const struct phase *phase)
{
    return (uint64_t) (phase->rate * phase->seconds + 0.5);
}

static void parse_phases(const char *text, struct schedule *schedule)
{
    char *end;

    for (; schedule->n_phases < MOST_PHASES; text = end + 1) {
        struct phase *phase = &schedule->phases[schedule->n_phases++];

        phase->rate = number(text, &end);
        if (*end != ':')
            misused(text);
        phase->seconds = number(end + 1, &end);
        schedule->n_requests += requests_of(phase);
        if (*end == '\0')
            return;
        if (*end != ',')
            break;
    }
    misused(text);
}

static void open_out(const char *path)
{
    out = fopen(path, "we");
    if (!out)
        misused(path);
}

static void take(const char *name, const char *value, struct schedule *schedule)
{
    if (strcmp(name, "--phases") == 0)
        parse_phases(value, schedule);
    else if (strcmp(name, "--out") == 0)
        open_out(value);
    else if (strcmp(name, "--begin") == 0)
        schedule->begin_us = whole(value);
    else if (strcmp(name, "--endpoints") == 0)
        schedule->endpoints = value;
    else if (strcmp(name, "--method") == 0)
        schedule->method = value;
    else if (strcmp(name, "--marked") == 0)
        schedule->marked = value;
    else if (strcmp(name, "--timeout") == 0)
        schedule->timeout_ms = (uint32_t) whole(value);
    else if (strcmp(name, "--try-timeout") == 0)
        schedule->try_timeout_ms = (uint32_t) whole(value);
    else if (strcmp(name, "--attempts") == 0)
        schedule->attempts = (uint32_t) whole(value);
    else
        misused(name);
}

void schedule_parse(int argc, char **argv, struct schedule *schedule)
{
    *schedule = (struct schedule){ .method = "GET", .timeout_ms = 1000, .try_timeout_ms = 300 };
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            misused(argv[i]);
        take(argv[i], argv[i + 1], schedule);
    }
    if (schedule->n_requests == 0 || !out)
        misused("no --phases or no --out");
    if (schedule->begin_us == 0)
        schedule->begin_us = schedule_now_us() + 200000;
}

uint64_t schedule_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000U + (uint64_t) now.tv_nsec / 1000U;
}

uint64_t schedule_start_us(const struct schedule *schedule, uint64_t i)
{
    double before = 0;

    for (uint32_t p = 0; p < schedule->n_phases; p++) {
        const struct phase *phase = &schedule->phases[p];
        uint64_t n = requests_of(phase);

        if (i < n)
            return schedule->begin_us + (uint64_t) ((before + (double) i / phase->rate) * 1e6);
        i -= n;
        before += phase->seconds;
    }
    return UINT64_MAX;
}

uint64_t schedule_end_us(const struct schedule *schedule)
{
    double seconds = 0;

    for (uint32_t p = 0; p < schedule->n_phases; p++)
        seconds += schedule->phases[p].seconds;
    return schedule->begin_us + (uint64_t) (seconds * 1e6) + (uint64_t) schedule->timeout_ms * 1000 + RESERVE_US;
}

void schedule_sleep_until(uint64_t when_us)
{
    const struct timespec when = { (time_t) (when_us / 1000000), (long) (when_us % 1000000) * 1000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) != 0)
        continue;
}

void schedule_record(const struct schedule *schedule, uint64_t i, const char *outcome, const char *endpoint,
                     uint32_t attempts)
{
    fprintf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %s %s %" PRIu32 "\n", i, schedule_start_us(schedule, i),
            schedule_now_us(), outcome, endpoint && *endpoint ? endpoint : "-", attempts);
}

void schedule_finish(void)
{
    if (fclose(out) != 0)
        misused("a full disk");
}
