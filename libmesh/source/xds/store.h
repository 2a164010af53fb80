/* SPDX-License-Identifier: Apache-2.0 */
/* What the control planes have sent: resources by type and name, each with its state. Private to source/xds/.
 *
 * A resource is there as long as somebody wants it (store_want). Its value is the last one that was accepted; what came after it
 * and was refused, or that the control plane has deleted it, is kept beside it: a value that works is not given up for
 * anything a control plane says or does not say (gRFC A88), unless it was told to. */
#ifndef SOURCE_XDS_STORE_H
#define SOURCE_XDS_STORE_H

#include "loop/loop.h"
#include "observe/observe.h"
#include "source/xds/cluster.h"
#include "source/xds/endpoints.h"
#include "source/xds/listener.h"
#include "source/xds/types.h"

/* With the names of envoy.admin.v3.ClientResourceStatus. */
enum resource_state {
    RESOURCE_REQUESTED,      /* asked for, nothing has come */
    RESOURCE_DOES_NOT_EXIST, /* the control plane says so, or has kept silent for too long */
    RESOURCE_ACKED,          /* the last that came was accepted */
    RESOURCE_NACKED,         /* the last that came was refused; the value is an older one, or none */
    RESOURCE_RECEIVED_ERROR, /* the control plane sent an error in its place */
    RESOURCE_TIMEOUT,        /* nothing has come in time, which is the control plane's trouble and no answer */
};
const char *resource_state_name(enum resource_state state); /* "ACKED" */

/* Bytes as they came, counted; inside the loop only. */
struct resource_bytes {
    uint32_t refs;
    size_t len;
    uint8_t data[];
};
struct resource_bytes *resource_bytes_new(const uint8_t *data, size_t len); /* NULL: out of memory */
struct resource_bytes *resource_bytes_ref(struct resource_bytes *bytes);
void resource_bytes_unref(struct resource_bytes *bytes); /* NULL is fine */

struct resource {
    struct store *store;
    enum xds_type type;
    enum resource_state state;
    uint32_t refs;    /* who wants it */
    uint64_t seen_in; /* the answer that it stood in last: of absence */

    /* The value: what `type` says, NULL: none. */
    struct xds_listener *listener;
    struct xds_cluster *cluster;
    struct model_endpoints *endpoints;
    struct resource_bytes *bytes; /* of it; of endpoints only where `keeps_endpoints` */
    uint64_t hash;                /* of the bytes; with a value only */
    char *version;                /* NULL: none */
    uint64_t revision;            /* raised with each new value, and when it goes */
    uint64_t updated_wall_ms;
    struct ignored ignored;
    bool is_deleted;  /* the control plane has it no more; it is kept while it works */
    bool is_stale;    /* from the disk: no control plane has confirmed it */
    bool is_outdated; /* clusters: a file that it names has changed since it was read */

    struct fault error; /* why the last update was refused; code 0: it was not */
    char *refused_version;
    uint64_t refused_wall_ms;
    uint64_t ttl_us;  /* 0: none */
    uint64_t wait_us; /* for the first answer, on an open stream */
    bool has_own_wait, is_awaited;
    bool silence_is_trouble;
    char *configured_as;     /* clusters: the service whose configuration overrides; NULL: the one of its own name */
    struct loop_timer timer; /* silence while there is no value; else its time to live */
    char name[];
};

struct store_conf {
    struct loop *loop;
    struct observe *observe;
    const struct conf *conf;           /* store_reconfigure() */
    const struct bootstrap *bootstrap; /* as long as the store lives */
    bool keeps_endpoints;              /* their bytes too: for the cache on the disk */
    /* Names that the control plane is to be asked for, or no more. */
    void (*on_want)(void *user, struct resource *resource);
    void (*on_rest)(void *user, struct resource *resource);
    /* A cluster has been read, and nobody has seen it yet; NULL: nobody is told. */
    void (*on_cluster)(void *user, struct model_cluster *cluster);
    /* A value, a state or an error is another. */
    void (*on_change)(void *user, struct resource *resource);
    void *user;
};

struct store {
    struct store_conf conf;
    struct map types[XDS_TYPES]; /* struct resource by name */
};

void store_init(struct store *store, const struct store_conf *conf);
void store_clear(struct store *store);
/* The configuration is another: clusters are read again. */
void store_reconfigure(struct store *store, const struct conf *conf);

/* A cluster that has a value, from the same bytes: what it came by outside of them may be other. */
void store_read_again(struct resource *resource);

/* The resource, made and asked for if nobody has wanted it before; a reference. NULL: out of memory. */
struct resource *store_want(struct store *store, enum xds_type type, const char *name);
void store_rest(struct resource *resource);
/* Without wanting it; NULL: nobody does. */
struct resource *store_find(const struct store *store, enum xds_type type, const char *name, size_t len);
bool resource_has_value(const struct resource *resource);
/* An answer of the control plane: a value, or that there is none. */
bool resource_is_known(const struct resource *resource);

/* Clusters: values of this configured service override what the control plane says; NULL: those of a service of its own name. */
void store_configure(struct resource *resource, const char *service);

/* ---- what a control plane says ---- */

/* A value that has come. */
struct resource_news {
    const uint8_t *bytes;
    size_t len;
    const char *version;
    uint64_t ttl_us; /* 0: none */
    bool is_stale;   /* from the disk */
};
/* For all types but endpoints: read and taken, or refused, which the sentence tells (for the NACK), and the resource keeps. */
int32_t store_take(struct resource *resource, const struct resource_news *news, struct fault *fault);
/* The same for endpoints, which were read piece by piece; the reference is taken over. */
void store_take_endpoints(struct resource *resource, const struct resource_news *news, struct model_endpoints *set,
                          struct ignored *ignored);
/* The bytes are the ones of the value: nothing is to be read. Then store_refresh() is all that is left to do. */
bool resource_is_same(const struct resource *resource, const uint8_t *bytes, size_t len);
void store_refresh(struct resource *resource, const struct resource_news *news);
void store_refuse(struct resource *resource, const char *version, const struct fault *why);
/* The control plane has it no more, or says that it never had. `obey`: the value goes, too. */
void store_delete(struct resource *resource, bool obey, const char *detail);
/* The control plane sent an error in place of it (gRFC A88): `is_data`: an answer about the resource, not a passing trouble. */
void store_error(struct resource *resource, bool is_data, bool obey, const struct fault *why);
/* A stream that asks for it is open (wait_us from now on: nothing comes means there is none; 0: for ever), or is not. */
void store_await(struct resource *resource, uint64_t wait_us, bool silence_is_trouble);
void store_await_no_more(struct resource *resource);
/* Waits so long and no longer, if it waits at all; 0: for ever (initial_fetch_timeout). */
void store_set_wait(struct resource *resource, uint64_t wait_us);

#endif
