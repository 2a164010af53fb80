/* SPDX-License-Identifier: Apache-2.0 */
/* Whose load goes to which control plane: a stream of reports for each authority that has a cluster with lrs_server. Private to
 * source/xds/. */
#ifndef SOURCE_XDS_LOADS_H
#define SOURCE_XDS_LOADS_H

#include "source/xds/ads.h"
#include "source/xds/graph.h"
#include "source/xds/lrs.h"

struct loads_conf {
    struct loop *loop;
    struct observe *observe;
    const Core__Node *node;
    const struct graph *graph;
    struct ads *ads; /* an array: one stream for each */
    size_t n_ads;
    struct ads *(*ads_of)(void *user, const struct resource *resource);
    void *user;
    /* struct source_conf; NULL: there is nothing to report */
    void (*take_load)(void *user, const char *cluster, const struct source_load_listener *listener);
    void *take_user;
};

struct loads {
    struct loads_conf conf;
    struct load_stream {
        struct lrs lrs;
        bool is_wanted; /* a cluster has lrs_server */
        struct loads *loads;
    } * streams;
};

/* False: out of memory. */
bool loads_init(struct loads *loads, const struct loads_conf *conf);
void loads_clear(struct loads *loads);
/* The graph is another, or a control plane has come or gone. */
void loads_look(struct loads *loads);
void loads_follow(struct loads *loads);

#endif
