/* SPDX-License-Identifier: Apache-2.0 */
/* The door of source/xds/: services as a control plane describes them.
 *
 * Vocabulary
 *   channel    a connection to one control plane with its streams, made anew when it breaks
 *   protocol   the state of one ADS stream: what is asked for, what was answered
 *   ads        the servers of one authority, one after the other, and the work of taking their answers
 *   store      resources by type and name
 *   reader     from the bytes of a resource to what libmesh goes by
 *   graph      from services to the clusters they need
 * Everything lives inside the source's loop. A NULL xds is one without a control plane: nothing is known, nothing costs. */
#ifndef SOURCE_XDS_XDS_H
#define SOURCE_XDS_XDS_H

#include "loop/loop.h"
#include "model/model.h"
#include "observe/observe.h"
#include "source/source.h"

struct conf;
struct dns_names;
struct xds;

struct xds_conf {
    struct loop *loop;
    struct observe *observe;
    struct dns_names *names;
    const struct conf *conf; /* borrowed, until xds_reconfigure() */
    struct source *source;   /* whose files of certificates clusters share; NULL: nobody's */
    /* xds_update() may have something new: soon, never from within a function below. */
    void (*on_change)(void *user);
    void *user;
    /* struct source_conf */
    void (*take_load)(void *user, const char *cluster, const struct source_load_listener *listener);
    void *take_user;
};

/* *out NULL: no bootstrap is configured. Opens nothing before the first xds_want(). */
int32_t xds_new(const struct xds_conf *conf, struct xds **out, struct fault *fault);
void xds_free(struct xds *xds);
/* Another configuration. The bootstrap stays the one it began with. */
void xds_reconfigure(struct xds *xds, const struct conf *conf);

/* The service is called; `target` is what the control plane is asked for ("users", "//authority/users"). */
int32_t xds_want(struct xds *xds, const char *service, const char *target, struct fault *fault);
/* It is not any more. Fine for one that is not known. */
void xds_rest(struct xds *xds, const char *service);
/* When a request last went by its routes; 0: never. */
uint64_t xds_last_used(const struct xds *xds, const char *service);

/* Works out what there is now. True: a snapshot would be another. */
bool xds_update(struct xds *xds);
/* For a snapshot: clusters, borrowed, at most so many; and services. False: out of memory. */
size_t xds_most_entries(const struct xds *xds);
size_t xds_entries(const struct xds *xds, struct model_entry *out);
bool xds_add_services(const struct xds *xds, struct model_snapshot *snapshot);

/* ---- for people and tools: describe*.c, contents.c ---- */

/* Connects to the control planes, though nothing is wanted yet. */
void xds_connect(struct xds *xds);
/* All that is wanted has been answered, or nobody answers. */
bool xds_is_settled(const struct xds *xds);
/* Members of the object that is open. */
void xds_describe(const struct xds *xds, struct json_writer *w);

/* Members "steps" and "endpoints" of the object that is open: what a service that is wanted leads to. `fault`: why it cannot be called. */
void xds_describe_way(const struct xds *xds, const char *name, struct json_writer *w, struct fault *fault);
/* A ClientStatusRequest; appends the ClientStatusResponse. MESH_ERR_INVALID, _PROTOCOL: the request; _NOMEM. */
int32_t xds_write_csds(const struct xds *xds, const uint8_t *request, size_t len, struct buf *out, struct fault *fault);
/* What stands in the resources, copied: to be written without holding up the loop. */
struct xds_contents;
/* False: out of memory. *out: to be freed in any case. */
bool xds_copy_contents(const struct xds *xds, struct xds_contents **out);
/* [any thread] A member of the object that is open: "contents". */
void xds_write_contents(const struct xds_contents *contents, struct json_writer *w);
void xds_contents_free(struct xds_contents *contents); /* [any thread] */

#endif
