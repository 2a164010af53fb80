/* SPDX-License-Identifier: Apache-2.0 */
/* The door of source/: where configuration comes from and how it becomes snapshots.
 *
 *   conf     keys and values with their origins (set, environment, file, default); the one table of keys
 *   source   takes a conf, resolves names (net/resolver), watches the file, and publishes snapshots (model/) */
#ifndef SOURCE_SOURCE_H
#define SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "loop/loop.h"
#include "model/model.h"
#include "observe/observe.h"

/* ---- configuration ---- */

struct conf; /* = struct mesh_conf of the public interface */

struct conf *conf_new(void);
struct conf *conf_copy(const struct conf *conf); /* NULL: out of memory */
void conf_free(struct conf *conf);
int32_t conf_set(struct conf *conf, const char *key, const char *value, struct fault *fault);
int32_t conf_read_env(struct conf *conf, struct fault *fault);
int32_t conf_read_file(struct conf *conf, const char *path, struct fault *fault);
/* Everything is consistent (files of TLS exist in pairs, one of endpoints/target/zones per service, ...). */
int32_t conf_check(const struct conf *conf, struct fault *fault);
/* Where it says neither zone nor region, those of a control plane's bootstrap hold. */
int32_t conf_take_locality(struct conf *conf, struct fault *fault);
/* JSON texts for mesh_conf_describe() and mesh_conf_keys(); NULL: out of memory. From mem_alloc(). */
char *conf_describe(const struct conf *conf, bool all);
char *conf_keys(void);
/* What holds for one service, and where each value comes from, as an object: all that is given, and what matters most. */
void conf_describe_service(const struct conf *conf, const char *service, struct json_writer *w);
/* The effective value of a global key ("zone", "threads", "log.level", ...), its default included; never NULL. */
const char *conf_text(const struct conf *conf, const char *key);
uint64_t conf_number(const struct conf *conf, const char *key);
bool conf_bool(const struct conf *conf, const char *key);
void conf_set_log(struct conf *conf, mesh_log_fn fn, void *user);
void conf_fill_observe(const struct conf *conf, struct observe_conf *out); /* strings borrowed from conf */
/* Warnings gathered while reading (unknown MESH_ variables), to be logged once there is a log. */
void conf_log_warnings(const struct conf *conf, struct observe *observe);

/* ---- the source of a client ---- */

struct source;

/* What a control plane may want to know of a cluster's load since it was last told: figures of one locality, ... */
struct source_load_place {
    const char *cluster; /* key of the cluster that its endpoints come from; "": the one that was asked for */
    const char *region, *zone, *sub_zone;
    uint32_t priority;
};
struct source_load_figures {
    uint64_t issued, succeeded, failed;
    uint64_t active; /* now */
};
/* ... told by whoever has them. Texts are lent for the call. */
struct source_load_listener {
    void (*on_endpoint)(void *user, const struct source_load_place *place, const char *address,
                        const struct source_load_figures *figures);
    void (*on_place)(void *user, const struct source_load_place *place, const struct source_load_figures *figures);
    void (*on_drop)(void *user, const char *category, uint64_t n); /* category NULL: by a limit */
    void *user;
};

struct source_conf {
    struct loop *loop;       /* the source lives in it: everything below inside, unless marked */
    const struct conf *conf; /* copied */
    struct observe *observe;
    /* A new snapshot, a reference of which is the receiver's. Inside, never from within source_want(). */
    void (*on_snapshot)(void *user, struct model_snapshot *snapshot);
    /* Tells the load of a cluster, by its key, and forgets it. NULL: nobody knows. */
    void (*take_load)(void *user, const char *cluster, const struct source_load_listener *listener);
    void *user;
};

/* [any] Opens nothing: sockets and files come with the first source_want(). */
int32_t source_new(const struct source_conf *conf, struct source **out, struct fault *fault);
/* The snapshot of now, borrowed until the next turn. Never NULL: configured services are in it from the start, those with
 * names to resolve as ENDPOINTS_PENDING. */
struct model_snapshot *source_snapshot(struct source *source);
/* Somebody calls this service: begin to resolve it and keep it fresh while it is used (call again at least every
 * SOURCE_UNUSED_S, else it rests). A name that is no configured service is taken as a target ("host[:port]" is http://) and
 * added. The result comes with on_snapshot. MESH_ERR_INVALID / MESH_ERR_NO_ROUTE with a sentence for a name that cannot be. */
int32_t source_want(struct source *source, const char *service, struct fault *fault);
enum { SOURCE_UNUSED_S = 600 };

/* conf_describe_service() by the configuration as it is now. */
void source_describe(const struct source *source, const char *service, struct json_writer *w);

/* Looks a target up step by step for people to read: a JSON object from mem_alloc(), NULL when out of memory. Once, later. */
typedef void (*source_explained_fn)(void *user, int32_t err, char *json);
int32_t source_explain(struct source *source, const char *target, source_explained_fn on_done, void *user,
                       struct fault *fault);
/* ---- control planes, for people and tools (docs/xds.md) ---- */

struct xds_contents;

/* Names of the services that are theirs, configured or called, copied: to be freed each, and the array. NULL: out of memory, *n 0. */
char **source_xds_names(const struct source *source, size_t *n);
/* Whether a service of that name is theirs. */
bool source_is_xds(const struct source *source, const char *service);
/* Members "steps" and "endpoints" of the object that is open: what such a service leads to. `fault`: why it cannot be called. */
void source_describe_way(const struct source *source, const char *service, struct json_writer *w, struct fault *fault);
/* Connects to them, though nothing is wanted yet. Nothing happens where none is configured. */
void source_connect_xds(struct source *source);
/* All that is wanted of them has been answered, or nobody answers. */
bool source_is_xds_settled(const struct source *source);
/* Members of the object that is open. */
void source_describe_xds(const struct source *source, struct json_writer *w);
/* A ClientStatusRequest; appends the ClientStatusResponse. MESH_ERR_INVALID, _PROTOCOL: the request; _NOMEM. */
int32_t source_write_csds(const struct source *source, const void *request, size_t len, struct buf *out,
                          struct fault *fault);
/* What stands in the resources, copied. False: out of memory. *out: source_free_xds() in any case. */
bool source_copy_xds(const struct source *source, struct xds_contents **out);
/* [any] A member of the object that is open: "contents". */
void source_write_xds(const struct xds_contents *contents, struct json_writer *w);
void source_free_xds(struct xds_contents *contents); /* [any] */

/* Nothing is called any more. */
void source_free(struct source *source);

#endif
