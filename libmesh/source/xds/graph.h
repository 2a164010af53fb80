/* SPDX-License-Identifier: Apache-2.0 */
/* From the services that are called to what a snapshot needs: service → listener → routes → clusters → endpoints. Private to
 * source/xds/.
 *
 * After any change the graph is walked anew from its services: what the walk comes by is asked for, what it does not come by any
 * more is asked for no more. Only what is complete is published (gRFC A74): new routes wait until each cluster they lead to
 * is known, or known not to be; a changed cluster goes on as it was until its new endpoints have come. */
#ifndef SOURCE_XDS_GRAPH_H
#define SOURCE_XDS_GRAPH_H

#include "source/dns_service.h"
#include "source/xds/hold.h"
#include "source/xds/store.h"

/* Deeper or circular aggregate clusters are an error of that cluster (gRFC A37). So much that is new takes a walk a few
 * milliseconds, what is known hardly anything: the rest is for the next turns of the loop. */
enum { GRAPH_DEEPEST = 16, GRAPH_MOST_LEAVES = 10000, GRAPH_NEWS_A_WALK = 1000 };

struct graph_service {
    struct graph *graph;
    struct resource *listener, *routes;          /* references; routes NULL: inline, or not known yet */
    struct model_routes *published;              /* what requests go by; NULL: none yet */
    struct model_routes *candidate;              /* waits until it is complete; NULL */
    uint64_t listener_revision, routes_revision; /* that the newest of them was made of */
    struct fault refused;                        /* why routes cannot be made of the newest; code 0: they can */
    struct fault fault; /* why there are no routes, or no newer ones; code 0. MESH_ERR_AGAIN: what is awaited */
    const struct graph_cluster *missing; /* in this walk: one that its routes lead to and that is not known yet */
    bool is_configured;                  /* the configuration has values of its own for it */
    char *host;                          /* of requests that say none: what virtual hosts are chosen by */
    char name[];                         /* as it is called */
};

/* A cluster that a service leads to. */
struct graph_cluster {
    struct graph *graph;
    struct resource *cluster, *eds; /* references; eds NULL: not of that kind, or not known yet */
    struct xds_cluster *seen;       /* that eds and dns are for: a reference */
    struct dns_service *dns;
    struct hold hold;             /* of eds */
    struct loop_timer hold_timer; /* time changes what serves */
    struct model_cluster *conf;   /* what is published: references, NULL: nothing yet */
    struct model_endpoints *endpoints;
    struct fault fault; /* why nothing can be; code 0 */
    /* Of an aggregate: those that its endpoints are of, each once however many of its members lead to it. Valid in that walk. */
    struct graph_cluster **leaves;
    size_t n_leaves;
    uint64_t leaves_walk;
    uint64_t join; /* the last that it was gathered for */
    uint64_t mark; /* the walk that came by last */
    const struct graph_service
        *configured_by; /* in this walk: whose values in the configuration hold for it; NULL: nobody's */
    bool is_walked;     /* the walk is below it just now: coming by again is a circle */
    struct list link;
    char name[];
};

struct graph_conf {
    struct loop *loop;
    struct observe *observe;
    struct dns_names *names;
    const struct conf *conf;
    void (*on_change)(void *user); /* a name's addresses: walk again */
    /* Why nothing comes for this resource now; NULL: it may. Borrowed until the next turn. */
    const struct fault *(*trouble)(void *user, const struct resource *resource);
    void *user;
    uint64_t hold_us; /* xds.hold_ms */
};

struct graph {
    struct graph_conf conf;
    struct store *store;
    struct map services, clusters;
    uint64_t walk, joins;
    size_t news_left;          /* clusters that this walk may still begin with */
    bool is_unfinished;        /* there were more of them: walk again at once, it goes on */
    bool changed;              /* since the last walk that was finished: something that a snapshot shows */
    bool short_of_memory;      /* walk again, later */
    struct policy_retry retry; /* the configuration's, where a route says nothing */
};

void graph_init(struct graph *graph, const struct graph_conf *conf, struct store *store);
void graph_clear(struct graph *graph);
/* Another configuration, with which all routes are made anew. */
void graph_reconfigure(struct graph *graph, const struct conf *conf, const struct policy_retry *retry);

/* A service is called: `listener` is the resource's name, `host` that of requests that say none. NULL: out of memory. */
struct graph_service *graph_want(struct graph *graph, const char *name, const char *listener, const char *host);
struct graph_service *graph_find(const struct graph *graph, const char *service);
void graph_forget(struct graph *graph, struct graph_service *service);
/* When a request last went by its routes; 0: never. */
uint64_t graph_last_used(const struct graph_service *service);

/* Walks. True: a snapshot would be another. Nothing is to be made of a walk that is unfinished. */
bool graph_update(struct graph *graph);

/* What a snapshot is made of: room for so many, and the filling of it, borrowed. */
size_t graph_most_entries(const struct graph *graph);
size_t graph_entries(const struct graph *graph, struct model_entry *out);
size_t graph_most_services(const struct graph *graph);
size_t graph_services(const struct graph *graph, struct model_service *out);

/* ---- graph_cluster.c ---- */

/* Walks a cluster and all below it. NULL: it cannot be begun with in this walk. */
struct graph_cluster *graph_walk_cluster(struct graph *graph, const char *name, unsigned depth);
/* It can be published, or it is known that it cannot. */
bool graph_cluster_is_known(const struct graph_cluster *cluster);
void graph_cluster_free(struct graph_cluster *cluster);
/* Those that no walk has come by go. */
void graph_sweep_clusters(struct graph *graph);

#endif
