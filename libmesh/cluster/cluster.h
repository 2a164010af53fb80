/* SPDX-License-Identifier: Apache-2.0 */
/* The door of cluster/: who is in a cluster, who is well, and what it may carry. One object per loop, used inside; what all
 * loops of a client share of it is in struct cluster_shared (atomics).
 *
 * Vocabulary
 *   in doubt  its last connecting failed, its connections are silent (pool/pool.h), or active checks say that it is unhealthy
 *   isolated  its attempts failed: left out for a while (outlier.h)
 *   usable    neither
 *   panic     nobody is usable: everybody gets requests, since a client never causes the outage
 * Life of an endpoint: in the newest set → removed (draining: no new attempts) → gone when the last attempt has ended. */
#ifndef CLUSTER_CLUSTER_H
#define CLUSTER_CLUSTER_H

#include <pthread.h>

#include "balance/balance.h"
#include "cluster/admission.h"
#include "cluster/budget.h"
#include "cluster/health.h"
#include "cluster/latency.h"
#include "cluster/load.h"
#include "cluster/outlier.h"
#include "cluster/outlier_envoy.h"
#include "cluster/priority.h"
#include "cluster/ramp.h"
#include "cluster/recent.h"
#include "model/model.h"
#include "observe/observe.h"
#include "pool/pool.h"

/* ---- what loops share ---- */

/* One endpoint's figures. */
struct endpoint_stats {
    struct balance_endpoint balance;
    _Atomic uint32_t refs;
    _Atomic uint64_t attempts, successes, failures;
    _Atomic uint32_t health; /* enum health_state */
    _Atomic uint32_t failed_in_row;
    _Atomic uint64_t isolated_until_us; /* by the loop that found it; 0: it is in */
    char *health_why;                   /* of HEALTH_UNHEALTHY, with the lock of cluster_shared; NULL: none */
    struct load_place *place;           /* with the lock; NULL: none yet */
    struct load_figures told;           /* with the lock: what was reported of it */
    uint32_t key_len;
    char address[]; /* "10.0.0.7:8080"; what it is found by goes on behind it */
};

struct cluster_shared {
    _Atomic uint32_t refs;
    struct pool_limits limits;
    uint64_t subset; /* what the client's order of preference comes from (balance/subset.c) */
    struct admission_shared admission;
    struct budget budget;
    _Atomic(struct cluster *) checker;  /* whose loop checks the endpoints; NULL: nobody's */
    _Atomic uint32_t isolation_version; /* raised when a loop isolates an endpoint or lets it in again */
    _Atomic uint32_t health_version;    /* raised when a check changes who is usable, and when nobody checks any more */
    pthread_mutex_t lock;
    struct list places;            /* struct load_place, with the lock */
    struct load_place *last_place; /* that was looked for, with the lock */
    struct list categories;        /* struct load_category (load.c), with the lock */
    unsigned n_categories;
    uint64_t refused_told; /* with the lock: reported of what the breaker refused */
    bool load_is_wanted;   /* with the lock: somebody reports */
    struct map stats;      /* struct endpoint_stats by address and what else tells them apart, with the lock */
    char name[];
};

struct cluster_shared *cluster_shared_new(const char *name); /* NULL: out of memory */
struct cluster_shared *cluster_shared_ref(struct cluster_shared *shared);
void cluster_shared_unref(struct cluster_shared *shared);

/* ---- endpoints ---- */

struct cluster;
struct check;
struct tally;

struct endpoint {
    /* What each attempt looks at. */
    struct cluster *cluster;
    struct endpoint_stats *stats;
    struct pool *pool;                /* made at first use */
    struct outlier *outlier;          /* NULL: it has never failed */
    struct outlier_envoy_host *envoy; /* NULL: another policy, or no attempt yet */
    struct zone *home;                /* NULL: removed */
    uint32_t weight, priority;
    uint8_t told_health; /* enum model_health: by the control plane */
    bool removed;
    bool usable;            /* when it was last counted */
    bool seen;              /* while a new set is matched */
    bool spare;             /* usable, and not in the part of a very large cluster that this client uses */
    bool unchecked;         /* active checks leave it out */
    bool is_held;           /* named by nobody any more: it serves until it fails */
    bool is_gone;           /* it was held, and has failed */
    uint16_t origin_number; /* of `origin` in the cluster's set, + 1; 0: none */

    struct check *check;          /* NULL: this loop does not check it */
    struct model_cluster *conf;   /* what the pool was made by: a reference */
    struct model_cluster *origin; /* whose settings its connections have, with a reference; NULL: the cluster's own */
    const struct model_labels *labels; /* in the cluster's set; NULL: none, or removed */
    struct addr addrs[2];
    size_t n_addrs;
    uint32_t locality;       /* of the cluster's set */
    uint32_t attempts;       /* running, in this loop */
    uint32_t holds;          /* requests that remember having tried it */
    struct latency *latency; /* NULL: no answer yet */
    uint64_t silence_set_us;
    struct list trouble;                   /* in cluster.troubled, while the outlier is not well */
    struct list link;                      /* in cluster.endpoints or cluster.leaving */
    const char *address, *zone, *hostname; /* in `texts`, or the stats */
    char *greeted;                         /* endpoint_server_name() where nobody names it; NULL: was not needed */
    char texts[];
};

/* ---- clusters ---- */

struct cluster_env {
    struct loop *loop;
    struct observe *observe;
};

/* Told when the endpoints of a pending cluster are known, or known not to be. */
struct cluster_waiter {
    struct list link;
    void (*on_changed)(struct cluster_waiter *waiter);
};

/* Endpoints that requests choose among: all of them, or those with certain labels. */
struct part {
    struct cluster *cluster;
    struct list link;  /* in cluster.parts */
    struct list zones; /* struct zone, in the order of preference */
    struct map zone_map;
    size_t n_zones, n_endpoints, n_usable;
    struct priority *priorities;
    size_t n_priorities;
    uint32_t built;                   /* cluster.views when it was made; parts by labels are made when they are used */
    size_t n_labels;                  /* 0: it has all */
    const struct model_label *labels; /* sorted */
    const char *key;                  /* the same, to be found by */
    size_t key_len;
};

struct cluster {
    struct cluster_env env;
    struct cluster_shared *shared;
    struct model_cluster *conf;
    struct model_endpoints *set;
    struct list
        endpoints;      /* struct endpoint of the newest set, in its order; of a very large one those that rank first */
    size_t n_endpoints; /* in the set */
    size_t n_made;      /* in the list */
    struct tally *absent; /* those that are not made, by locality of the set; NULL: all are */
    unsigned reach;       /* how many times as many are made as are used */
    struct list leaving;  /* removed ones, with attempts or connections left */
    struct list troubled; /* struct endpoint, isolated or recovering */
    struct outlier_envoy envoy;
    struct part all;   /* what requests go by that want no labels */
    struct list parts; /* struct part: by labels, the last used first */
    struct map part_map;
    size_t n_parts;
    uint32_t views;  /* how often they changed */
    size_t n_usable; /* of all */
    bool has_ghosts; /* views may have endpoints that were removed since */
    struct ramp ramp;
    struct recent *recent;   /* NULL: nobody has asked for it */
    uint64_t look_us;        /* when time alone changes something; 0: look at once */
    uint32_t isolation_seen; /* the version that its endpoints know of */
    bool by_key;             /* its balancing policy goes by the hint's key */
    bool by_load;            /* ... by what endpoints report */
    bool by_hostname;        /* hashing knows endpoints by their host names */
    struct list tls;         /* struct cluster_tls (transport.c) */
    struct admission_gate gate;
    struct list waiters;
    struct loop_later rebuild;
    struct loop_later sweep;
    uint32_t refs;        /* requests, and the client */
    uint32_t health_seen; /* version that the view was made with */
    bool panicking;
    bool draining;
    uint64_t wanted_us; /* when the source was last told that somebody uses it; the client's */
    struct list link;   /* the client's */
};

int32_t cluster_new(const struct cluster_env *env, const struct model_entry *entry, struct cluster_shared *shared,
                    struct cluster **out);
void cluster_ref(struct cluster *cluster);
/* Frees it, silently, when the last user has gone. */
void cluster_unref(struct cluster *cluster);
/* A new state of it: connections to endpoints that stay are kept, unless what connections depend on has changed.
 * MESH_ERR_NOMEM: nothing has changed. */
int32_t cluster_update(struct cluster *cluster, const struct model_entry *entry);
/* The service is gone from the configuration, or the client drains: connections end with their last stream. */
void cluster_drain(struct cluster *cluster);
/* Nothing runs on any of its connections, and none is open. */
bool cluster_is_idle(const struct cluster *cluster);
/* Fails everything with err. */
void cluster_close(struct cluster *cluster, int32_t err, const char *why);

enum { CLUSTER_MOST_TRIED = 8 };

/* Why a zone did not take an attempt. */
enum zone_pass {
    ZONE_TOOK_IT,
    ZONE_KEEPS_LESS, /* it keeps a part: not all of its endpoints are usable, or it has too much to do */
    ZONE_FAILS,      /* a retry, and most attempts in it fail */
    ZONE_ALL_TRIED,  /* a retry, and all of its endpoints were tried */
    ZONE_BESIDE,     /* a hedge: the other attempt runs in it */
};

/* Why an attempt goes where it goes, for whoever explains it: what can be kept as it is, ... */
struct choice_facts {
    enum zone_pass pass;  /* of the first zone that did not take it */
    uint8_t kept_percent; /* that this one keeps */
    uint8_t priority_percent;
    uint8_t passed_over; /* endpoints that were picked first, and had fallen silent just now */
    uint32_t priority;
    bool has_zones;
    bool is_own;        /* the zone */
    bool came_back;     /* no zone took it: it is the nearest one's */
    bool is_due;        /* the endpoint's isolation is over, and this attempt finds out how it is */
    bool panics;        /* no endpoint of the cluster is usable: all of them get attempts */
    bool is_lenient;    /* few endpoints of the zone are left: those that are not quite well, too */
    bool is_trial;      /* struct balance_choice */
    bool was_moved;     /* struct balance_choice */
    const char *policy; /* constant */
};

/* ... and what points into the cluster: valid until the end of the turn. */
struct cluster_choice {
    struct choice_facts facts;
    const char *passed_by; /* the first zone that did not take it; NULL: there was none */
    struct balance_choice balance;
};

/* What an attempt asks for; `tried` are the endpoints of earlier attempts. */
struct cluster_hint {
    uint64_t key;
    const struct route_subset *subset; /* labels of the endpoints that may serve it; NULL: none are wanted */
    struct endpoint *const *tried;
    size_t n_tried;
    bool idempotent;
    struct cluster_choice *choice; /* zeroed but for the candidates, filled; NULL: nobody wants to know */
    const struct endpoint
        *beside; /* a tried one whose attempt goes on: elsewhere, in another zone if there is one; or NULL */
};

/* An endpoint for an attempt, with its pool. MESH_ERR_AGAIN: not known yet (cluster_wait()); MESH_ERR_NO_HEALTHY, MESH_ERR_DNS,
 * MESH_ERR_TLS, MESH_ERR_NOMEM with a sentence. */
int32_t cluster_choose(struct cluster *cluster, const struct cluster_hint *hint, struct endpoint **out,
                       struct fault *fault);
void cluster_wait(struct cluster *cluster, struct cluster_waiter *waiter);
void cluster_forget(struct cluster_waiter *waiter);

/* So many percent of the answers of the last 30 s took less; 0: not known yet. Times are kept from the first question on. */
uint64_t cluster_latency_us(struct cluster *cluster, uint32_t percent);

/* The settings that its connections are made by: the cluster's, or those of the cluster that it comes from. */
const struct model_cluster *endpoint_settings(const struct endpoint *endpoint);
/* The endpoint's pool, made if needed: MESH_ERR_TLS, MESH_ERR_IO, MESH_ERR_NOMEM with a sentence. */
int32_t endpoint_open_pool(struct endpoint *endpoint, struct fault *fault);

/* What active checks say, and why if that is HEALTH_UNHEALTHY. */
enum health_state endpoint_health(const struct endpoint *endpoint, char why[FAULT_TEXT]);

/* How an attempt ended, as far as the endpoint is concerned. */
enum attempt_outcome {
    ATTEMPT_ANSWERED,    /* with something usable */
    ATTEMPT_TURNED_AWAY, /* answered, but others are to be preferred for a while: 408, 429 */
    ATTEMPT_FAILED,
    ATTEMPT_LATE,     /* no answer in its time, on a connection that lives: it may have too much to do */
    ATTEMPT_UNJUDGED, /* ended by our own side: says nothing about the endpoint */
    ATTEMPT_OUTRUN,   /* the same, since another answered: it would have taken longer */
};

/* An attempt begins and ends on an endpoint; after latency_us (0: not measured). */
void endpoint_begin(struct endpoint *endpoint);
void endpoint_end(struct endpoint *endpoint, enum attempt_outcome outcome, uint64_t latency_us);
/* A stream's answer begins, with something usable: how long that took. How long a stream lasts says nothing of the endpoint. */
void endpoint_heard(struct endpoint *endpoint, uint64_t latency_us);
/* show.c. Its state in one word, the one that matters most, with the reason; "" it needs none. */
const char *endpoint_state(const struct endpoint *endpoint, char why[FAULT_TEXT]);
/* show.c. JSON arrays of the endpoints and, nearest first, the zones; an object of what limits requests and retries. */
void cluster_write_endpoints(struct json_writer *w, const struct cluster *cluster, bool with_scores);
void cluster_write_zones(struct json_writer *w, const struct cluster *cluster);
/* "decision": where a request would go now, or how it would fail. */
void cluster_write_decision(struct json_writer *w, const struct cluster *cluster);
/* "refused": how many requests were not sent, by whose word. */
void cluster_write_refused(struct json_writer *w, const struct cluster *cluster);
void cluster_write_budgets(struct json_writer *w, const struct cluster *cluster);
/* Why it is isolated, or not back to its full share; "" it is well. */
const char *isolation_reason(const struct endpoint *endpoint);
/* What Envoy's outlier detection goes by, in the order of an attempt's life: it has a stream; its answer's head has come, with
 * this status; no connection, a reset, or no head in time. */
void endpoint_connected(struct endpoint *endpoint);
void endpoint_answered(struct endpoint *endpoint, int status);
/* It said how much it has to do. */
struct orca_report;
void endpoint_reported(struct endpoint *endpoint, const struct orca_report *report);
void endpoint_failed(struct endpoint *endpoint, bool timed_out);
/* Keeps the struct while somebody points to it. */
void endpoint_hold(struct endpoint *endpoint);
void endpoint_let_go(struct endpoint *endpoint);

#endif
