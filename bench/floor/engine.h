/* SPDX-License-Identifier: Apache-2.0 */
/* Who does the I/O of one connection that many threads call through: the calling threads themselves, or a keeper thread when
 * they are a crowd. The driving that libmesh has (docs/architecture.md), and nothing else. */
#ifndef BENCH_FLOOR_ENGINE_H
#define BENCH_FLOOR_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "floor/http2.h"

enum engine_driver { DRIVER_NONE, DRIVER_CALLER, DRIVER_KEEPER };

struct engine {
    pthread_mutex_t lock; /* http2 */
    struct http2 *http2;
    _Atomic(struct call *) submitted; /* newest first */
    _Atomic int driver;               /* enum engine_driver */
    _Atomic int inside;               /* threads in engine_call() */
    int wake_fd;                      /* ends the keeper's poll */
    pthread_mutex_t parked_lock;
    struct call *parked;
    bool has_keeper;
    _Atomic bool keeper_leaves;
    _Atomic int keeper_word;         /* a futex: changes when the keeper is to look */
    _Atomic uint64_t last_driven_ns; /* when the role was last given up */
};

/* With `keeper` a crowd is driven by a thread of the engine's own, without it always by one of the callers. */
void engine_start(struct engine *engine, struct http2 *http2, bool keeper);
/* Makes one call and waits for it. Any thread. */
void engine_call(struct engine *engine, struct call *call);

#endif
