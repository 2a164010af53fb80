/* SPDX-License-Identifier: Apache-2.0 */
/* What a pool consists of. Private to pool/. */
#ifndef POOL_STATE_H
#define POOL_STATE_H

#include "pool/pool.h"
#include "pool/window.h"

struct pool {
    struct loop *loop;
    struct pool_conf conf;
    struct list connections; /* struct connection, oldest first */
    struct list waiting;     /* struct pool_lease, oldest first */
    uint32_t n_waiting;
    bool draining;
    bool by_alpn;            /* the peer has the choice of what is spoken */
    bool doubted;            /* the last connecting failed, or the last connection ended silent: until one opens */
    struct fault fault;      /* why */
    uint32_t failures;       /* in a row */
    struct loop_timer retry; /* connects again while doubted */
    uint64_t connect_us;     /* the least that opening a connection took */
    struct window window;    /* after doubt */
    struct loop_later change;
    struct loop_later answer; /* the window may have room for leases that wait */
};

#endif
