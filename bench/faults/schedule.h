/* SPDX-License-Identifier: Apache-2.0 */
/* What every client of the fault rigs shares: when each request starts, and the line that says what came of it.
 *
 * Requests start by a fixed schedule, whether the earlier ones have ended or not, and their time counts from when they should
 * have started: a client that is held up does not thereby look better. */
#ifndef FAULTS_SCHEDULE_H
#define FAULTS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MOST_PHASES = 8 };

struct phase {
    double rate; /* requests a second */
    double seconds;
};

struct schedule {
    struct phase phases[MOST_PHASES];
    uint32_t n_phases;
    uint64_t n_requests;
    uint64_t begin_us;     /* CLOCK_MONOTONIC */
    const char *endpoints; /* "127.0.0.1:9001,127.0.0.1:9002"; NULL: the client knows them otherwise */
    const char *method;
    const char *marked; /* value of the headers that say "this is a retry"; NULL: none */
    uint32_t timeout_ms, try_timeout_ms;
    uint32_t attempts; /* 0: the client's own choice */
};

/* --phases RATE:SECONDS,... --out FILE [--begin US] [--endpoints LIST] [--method M] [--marked N] [--timeout MS]
 * [--try-timeout MS] [--attempts N]. Exits with 2 when something is wrong. */
void schedule_parse(int argc, char **argv, struct schedule *out);

/* When request `i` starts, counted from 0; UINT64_MAX: there are no more. */
uint64_t schedule_start_us(const struct schedule *schedule, uint64_t i);
/* When an answer can come at the latest, with ample reserve. */
uint64_t schedule_end_us(const struct schedule *schedule);
void schedule_sleep_until(uint64_t when_us);
uint64_t schedule_now_us(void);

/* One line: i, start, end, "ok" or what went wrong, endpoint, attempts. From one thread at a time. */
void schedule_record(const struct schedule *schedule, uint64_t i, const char *outcome, const char *endpoint,
                     uint32_t attempts);
/* Everything is in the file; exits with 2 if not. */
void schedule_finish(void);

#ifdef __cplusplus
}
#endif

#endif
