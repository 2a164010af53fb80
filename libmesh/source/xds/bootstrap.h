/* SPDX-License-Identifier: Apache-2.0 */
/* Where the control plane is and who we are to it, as gRPC's bootstrap JSON says. Pure, but for the file of bootstrap_load().
 *
 * Keys that are not known are ignored at every level, as gRPC does; known ones with a wrong value are refused. Relative names
 * of files begin in the current directory, not in the bootstrap's. */
#ifndef SOURCE_XDS_BOOTSTRAP_H
#define SOURCE_XDS_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

/* Certificates in files that are replaced in place. NULL: none; `cert` and `key` are both there or both not. */
struct bootstrap_files {
    char *ca, *cert, *key; /* absolute */
    uint64_t refresh_ms;
};

enum bootstrap_feature {
    BOOTSTRAP_DELTA = 1,               /* mesh.delta: the server speaks the incremental protocol */
    BOOTSTRAP_FAIL_ON_DATA_ERRORS = 2, /* a resource that is refused or deleted is not kept */
    BOOTSTRAP_TIMER_IS_TRANSIENT = 4,  /* resource_timer_is_transient_error */
    BOOTSTRAP_TRUSTED = 8,             /* trusted_xds_server: may rewrite the authority of requests */
    BOOTSTRAP_IGNORE_DELETION = 16,    /* ignore_resource_deletion, which is the default anyway */
};

struct bootstrap_server {
    char *uri;                  /* as it stands there */
    struct model_target target; /* an address, a host or a unix socket; MODEL_H2C or, with TLS, MODEL_H2 */
    struct bootstrap_files tls; /* MODEL_H2; without `ca` the system's roots */
    uint32_t features;          /* enum bootstrap_feature */
};

/* In the order in which they are tried. */
struct bootstrap_servers {
    struct bootstrap_server *items;
    size_t n;
};

struct bootstrap_node {
    char *id, *cluster, *region, *zone, *sub_zone; /* "" where not given */
    char *metadata;                                /* a JSON object */
};

/* Names that begin with xdstp://NAME/ */
struct bootstrap_authority {
    char *name;
    char *listener_template;
    struct bootstrap_servers servers; /* none: those of the bootstrap */
    bool fallback_on_reachability_only;
};

/* What resources call a certificate provider instance. */
struct bootstrap_provider {
    char *name;
    struct bootstrap_files files;
};

struct bootstrap {
    struct bootstrap_servers servers;
    struct bootstrap_node node;
    struct bootstrap_authority *authorities;
    size_t n_authorities;
    struct bootstrap_provider *providers; /* those of plugin file_watcher */
    size_t n_providers;
    char *listener_template; /* of names without an authority; "%s" is the name */
};

/* `from` is for sentences: "file /etc/bootstrap.json". MESH_ERR_INVALID: the sentence has line, path, and what is allowed. */
int32_t bootstrap_parse(const char *text, const char *from, struct bootstrap **out, struct fault *fault);
/* The path of a file, or the JSON itself (begins with `{`), which then is called `from`. */
int32_t bootstrap_load(const char *path_or_json, const char *from, struct bootstrap **out, struct fault *fault);
void bootstrap_free(struct bootstrap *bootstrap); /* NULL is fine */

/* NULL: there is none of that name. */
const struct bootstrap_provider *bootstrap_provider(const struct bootstrap *bootstrap, const char *name);
const struct bootstrap_authority *bootstrap_authority(const struct bootstrap *bootstrap, const char *name);
/* Authorities whose servers are the same share their connections. */
bool bootstrap_servers_equal(const struct bootstrap_servers *a, const struct bootstrap_servers *b);

#endif
