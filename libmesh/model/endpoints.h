/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of endpoints. A million of them is 40 MB: what repeats (places) or is rare (host names, labels, second addresses) lies in
 * tables of the set. Immutable once published, reference-counted. Part of the door model/model.h. */
#ifndef MODEL_ENDPOINTS_H
#define MODEL_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

struct model_cluster;

/* What a control plane says of an endpoint's health. */
enum model_health {
    ENDPOINT_HEALTHY,  /* or nothing is said */
    ENDPOINT_DEGRADED, /* used when the healthy ones cannot carry everything */
    ENDPOINT_DRAINING, /* no new requests */
    ENDPOINT_UNHEALTHY,
    ENDPOINT_TIMED_OUT,
};
const char *model_health_name(enum model_health health); /* "healthy" */

/* A place and a rank. Texts "" none; owned by the set. */
struct model_locality {
    const char *region, *zone, *sub_zone;
    const char *label; /* what zones are told apart by and shown as: the zone, if there is none the region */
    uint32_t priority; /* 0 is best */
    uint32_t weight;   /* where localities are weighted; 0: gets nothing */
};

/* "envoy.lb" of the metadata, sorted by key. The value is JSON, the same text for the same value. */
struct model_label {
    const char *key, *value;
};
struct model_labels {
    size_t n;
    struct model_label items[];
};

/* What few endpoints have. Owned by the set. */
struct model_rare {
    struct addr
        alternative;      /* the same host's address of the other family (happy eyeballs); ADDR_NONE: there is none */
    const char *hostname; /* name it came from, for HTTP/1.1 Host and logs; "" none */
    const char *hash_key; /* what hashing policies know it by; "" its address */
    const struct model_labels *labels; /* NULL: none */
};

/* One address of a cluster. */
struct model_endpoint {
    struct addr addr;
    uint32_t weight;    /* 1 and up */
    uint32_t locality;  /* model_endpoint_locality() */
    uint32_t rare;      /* model_endpoint_rare(); 0: it has nothing of that kind */
    uint16_t origin;    /* model_endpoint_origin(); 0: the cluster itself */
    uint8_t health;     /* enum model_health */
    bool unchecked : 1; /* active checks leave it out */
    bool is_held : 1; /* its control plane names it no more: it serves while it answers, and when it fails it is gone */
};

/* Part of the requests that a control plane wants not to be sent. */
struct model_drop {
    const char *category;
    uint32_t per_million;
    uint16_t origin; /* of requests to this one's endpoints; 0: of all that are the cluster's own */
};

enum model_endpoints_state {
    ENDPOINTS_PENDING,   /* the first answer has not come: requests wait */
    ENDPOINTS_READY,     /* `endpoints` is what is known to be true, maybe from the last good answer */
    ENDPOINTS_FAILED,    /* no answer ever, `fault` says why: requests fail with it */
    ENDPOINTS_WITHDRAWN, /* the source says there are none ("." in SRV) */
};

struct model_tables; /* texts, and how tables are found while a set is made */

struct model_endpoints {
    _Atomic uint32_t refs;
    enum model_endpoints_state state;
    struct fault fault; /* of FAILED, and of READY when refreshes fail */
    const char *source; /* "static", "dns", "srv", "eds": constant */
    size_t n;
    struct model_endpoint *endpoints;
    size_t n_localities; /* the first is that of an endpoint that was not placed */
    const struct model_locality *localities;
    size_t n_rares;
    const struct model_rare *rares;
    uint32_t overprovisioning_percent; /* 0: the cluster's policy */
    bool health_by_weight;             /* of a priority: by weights, not by heads */
    uint64_t stale_after_us;           /* without news for so long they are gone; 0: never */
    size_t n_drops;
    const struct model_drop *drops;
    size_t n_origins;
    struct model_cluster **origins; /* references; model_endpoint.origin - 1 is the index */
    struct model_tables *tables;
};

/* n endpoints of weight 1 that are nowhere in particular. NULL: out of memory. */
struct model_endpoints *model_endpoints_new(enum model_endpoints_state state, const char *source, size_t n);
struct model_endpoints *model_endpoints_ref(struct model_endpoints *set);
void model_endpoints_unref(struct model_endpoints *set);
bool model_endpoints_equal(const struct model_endpoints *a, const struct model_endpoints *b);

/* ---- making one: before it is published, by one thread ---- */

/* One more at the end; earlier ones may move. NULL: out of memory. */
struct model_endpoint *model_endpoints_add(struct model_endpoints *set);
/* A copy of the text that lives, unmoved, as long as the set; the same text is kept once when it repeats one of the last
 * ones. NULL: out of memory. */
const char *model_endpoints_text(struct model_endpoints *set, const char *text, size_t len);
/* Zeroed memory that lives as long as the set. NULL: out of memory. */
void *model_endpoints_alloc(struct model_endpoints *set, size_t size);
/* The number of a locality with these names, this priority and weight, made if there is none; `label` is not read, and
 * texts are copied. LOOKUP_NONE: out of memory. */
uint32_t model_endpoints_locality(struct model_endpoints *set, const struct model_locality *wanted);
/* The same, always made: its number is the n_localities of before. */
uint32_t model_endpoints_add_locality(struct model_endpoints *set, const struct model_locality *wanted);
/* Puts it in a zone of a priority. False: out of memory. */
bool model_endpoints_place(struct model_endpoints *set, struct model_endpoint *endpoint, const char *zone,
                           uint32_t priority);
/* The number of the same rare things, made if there is none. Texts are copied; labels are the set's already, and compared as
 * pointers. LOOKUP_NONE: out of memory. */
uint32_t model_endpoints_rare(struct model_endpoints *set, const struct model_rare *wanted);
/* Gives host name (copied) and second address to an endpoint. False: out of memory. */
bool model_endpoints_name(struct model_endpoints *set, struct model_endpoint *endpoint, const char *hostname,
                          const struct addr *alternative);
/* What was needed to make it only goes. */
void model_endpoints_finish(struct model_endpoints *set);

/* The endpoints of several clusters: priorities one after the other, each endpoint with its cluster as origin. Members without
 * endpoints that are ready are passed over, unless all are. NULL: out of memory. */
struct model_entry;
struct model_endpoints *model_endpoints_join(const struct model_entry *members, size_t n);
/* `now`, and below all of its priorities what only `before` has, held. NULL: out of memory. */
struct model_endpoints *model_endpoints_hold(struct model_endpoints *now, struct model_endpoints *before);

/* ---- reading one ---- */

static inline const struct model_locality *model_endpoint_locality(const struct model_endpoints *set,
                                                                   const struct model_endpoint *endpoint)
{
    return &set->localities[endpoint->locality];
}

static inline const struct model_rare *model_endpoint_rare(const struct model_endpoints *set,
                                                           const struct model_endpoint *endpoint)
{
    return &set->rares[endpoint->rare];
}

/* Whose TLS, protocol and limits its connections have; NULL: those of the cluster that the set belongs to. */
static inline struct model_cluster *model_endpoint_origin(const struct model_endpoints *set,
                                                          const struct model_endpoint *endpoint)
{
    return endpoint->origin > 0 ? set->origins[endpoint->origin - 1] : NULL;
}

#endif
