/* SPDX-License-Identifier: Apache-2.0 */
/* One connection of a pool, from dialling to its end. Private to pool/.
 *
 * Life: DIALLING → GREETING (HTTP/2: until the peer's SETTINGS) → OPEN → DRAINING → gone; from each to gone. */
#ifndef POOL_CONNECTION_H
#define POOL_CONNECTION_H

#include "pool/pool.h"

enum connection_state { CONNECTION_DIALLING, CONNECTION_GREETING, CONNECTION_OPEN, CONNECTION_DRAINING };

struct connection {
    struct list link; /* in pool.connections */
    struct pool *pool;
    enum connection_state state;
    struct net_dial *dial;      /* DIALLING */
    struct http_conn *http;     /* from GREETING on */
    uint64_t began_us;          /* dialling */
    bool was_silent;            /* when it began to drain: the silence is why */
    struct loop_timer greeting; /* the connect timeout covers the peer's first words */
};

/* What a connection tells its pool. The connection is gone after connection_ended(). */
void pool_connection_opened(struct connection *connection);
void pool_connection_has_room(struct connection *connection);
void pool_connection_draining(struct connection *connection, const struct fault *why);
/* `was_open`: it had come as far as OPEN. */
void pool_connection_ended(struct connection *connection, bool was_open, const struct fault *why);

int32_t connection_start(struct pool *pool, const struct pool_conf *conf, struct loop *loop);
/* Takes it out of the pool and frees it, silently. */
void connection_free(struct connection *connection);

/* A place for a stream right now? */
bool connection_usable(const struct connection *connection);
/* More than seven tenths of what the peer allows are in use. */
bool connection_crowded(const struct connection *connection);

#endif
