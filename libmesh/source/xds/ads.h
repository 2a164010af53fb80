/* SPDX-License-Identifier: Apache-2.0 */
/* The control planes of one authority, and the work of taking their answers into the store. Private to source/xds/.
 *
 * An answer is worked through resource by resource, in slices of a few milliseconds, each in a turn of the loop of its own: requests
 * go on in between. It is acknowledged, and the next one read, when all of it has been. */
#ifndef SOURCE_XDS_ADS_H
#define SOURCE_XDS_ADS_H

#include "proto/core.pb-c.h"
#include "source/xds/fallback.h"
#include "source/xds/protocol.h"
#include "source/xds/servers.h"
#include "source/xds/store.h"

struct ads;

/* Zeroed between answers. */
struct ads_work {
    struct xds_answer *answer; /* NULL: none is worked on */
    size_t next;               /* resource */
    struct endpoints_reader *reader;
    struct ignored ignored; /* of what the reader reads */
    struct buf errors;      /* what is told to the control plane; empty: nothing was refused */
    bool is_unreadable;     /* of one resource not even the name is known */
};

struct ads_server {
    struct ads *ads;
    size_t index;
    struct protocol *protocol; /* NULL: has never been asked */
    bool is_up;
    struct buf unsent; /* a request that the stream had no room for */
    struct ads_work work;
    struct loop_timer slice; /* the work goes on */
    struct loop_timer due;   /* a request is */
};

struct ads_conf {
    struct loop *loop;
    struct observe *observe;
    struct dns_names *names;
    struct store *store;
    const struct bootstrap_servers *list; /* borrowed */
    const Core__Node *node;               /* borrowed */
    /* Whether this resource is asked for here. */
    bool (*is_mine)(void *user, const struct ads *ads, const struct resource *resource);
    bool (*obeys_deletes)(void *user);
    /* More is about to be wanted: requests wait, so that one has all names. Then ads_ask(). */
    bool (*is_gathering)(void *user);
    /* An answer has been taken, or nobody answers any more. */
    void (*on_settled)(void *user);
    void *user;
};

struct ads {
    struct ads_conf conf;
    struct servers *servers; /* NULL: nobody was asked for anything yet */
    struct ads_server items[FALLBACK_MOST];
    uint64_t n_answers;
};

void ads_init(struct ads *ads, const struct ads_conf *conf);
void ads_clear(struct ads *ads);
/* A resource is wanted from now on, or is no more. */
void ads_want(struct ads *ads, struct resource *resource);
void ads_rest(struct ads *ads, const struct resource *resource);
void ads_ask(struct ads *ads);
/* Connects, though nothing is wanted yet. */
void ads_connect(struct ads *ads);
/* An answer is being worked on. */
bool ads_is_busy(const struct ads *ads);
/* Of the control plane that serves now; NULL: there is none. */
struct channel *ads_channel(const struct ads *ads);
/* Why nothing can come now; NULL: it may. */
const struct fault *ads_fault(const struct ads *ads);

/* ---- ads_work.c ---- */

/* Begins with the answer, which is taken over. */
void ads_work_begin(struct ads_server *server, struct xds_answer *answer);
void ads_work_drop(struct ads_server *server);
void ads_work_on_slice(struct loop_timer *timer);

/* ---- ads.c, for ads_work.c ---- */

/* The answer has been concluded: replies, and asks for the next message. */
void ads_answered(struct ads_server *server);
const struct bootstrap_server *ads_server_conf(const struct ads_server *server);

#endif
