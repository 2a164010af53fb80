/* SPDX-License-Identifier: Apache-2.0 */
/* What every client program of the benchmark shares: options, the threads and the clock around the calls, one line of JSON.
 *
 * A program says how one of its threads makes calls (load_work); load_run() starts the threads, lets them warm up, measures for
 * a while and prints. Any failure of a call ends the program: a benchmark of failing calls says nothing. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct load_options {
    const char *mode; /* a word of the program's own; its first one by default */
    const char *ca;   /* file with the certificate to trust; NULL: plain h2c */
    uint16_t port;    /* of 127.0.0.1 */
    uint32_t callers; /* threads, or calls in flight */
    uint32_t body;    /* bytes */
    double seconds;   /* measured; the warm-up comes before */
    double warm_up;
    long server, proxy; /* processes whose CPU time is measured too; 0: none */
};

/* Fills *out from the command line. `modes`, NULL at its end, are the words --mode allows. Exits with 2 when it is wrong. */
void load_parse(int argc, char **argv, const char *const *modes, struct load_options *out);
/* The mode's position in `modes`. */
int load_mode(const struct load_options *options, const char *const *modes);

struct load_thread;

/* Makes calls until load_goes_on() says no. */
typedef void load_work(struct load_thread *thread, void *program);

/* Runs `n` of them, measures, prints the line of JSON. */
void load_run(const struct load_options *options, uint32_t n, load_work *work_of_each, void *program);

bool load_goes_on(const struct load_thread *thread);
uint64_t load_now_ns(void);
/* A call that began then has succeeded now. */
void load_count(struct load_thread *thread, uint64_t began_ns, uint64_t ended_ns);

/* Says what went wrong and ends the program. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2), noreturn))
#endif
void load_fail(const char *format, ...);

/* A gRPC message as the echo service takes it and gives it back: prefix, one bytes field of `body` bytes. */
struct load_message {
    uint8_t *data;
    size_t len;
};
struct load_message load_message(uint32_t body);

#ifdef __cplusplus
}
#endif

#endif
