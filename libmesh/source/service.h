/* SPDX-License-Identifier: Apache-2.0 */
/* One service as the configuration describes it: what the source makes an entry of the snapshot from. Private to source/. */
#ifndef SOURCE_SERVICE_H
#define SOURCE_SERVICE_H

#include "model/model.h"
#include "source/source.h"

/* Which of a host's addresses are used. */
enum service_families {
    FAMILIES_BOTH, /* raced (RFC 8305) */
    FAMILIES_IPV4,
    FAMILIES_IPV6,
    FAMILIES_IPV4_FIRST, /* those of IPv6 only when it has no other */
};

/* One target to resolve, and the zone that all its answers get ("" : by MESH_ZONE_CIDRS, else none). */
struct service_target {
    struct model_target target;
    char *zone;
    uint32_t priority; /* for what the target resolves to; SRV priorities come on top of it */
    enum service_families families;
    bool
        is_one; /* all its addresses are one endpoint: one of them is used as long as it is among them. Of a single target */
};

struct service {
    struct model_cluster *cluster;     /* a reference */
    struct model_endpoints *endpoints; /* static ones, READY; NULL when the targets must be resolved */
    struct service_target *targets;    /* hosts and SRV names; of several, some may be addresses and unix sockets */
    size_t n_targets;
    char *
        xds; /* what a control plane is asked for, "users" or "//authority/users"; then there is nothing of the above */
};

void service_clear(struct service *service);
bool service_target_equal(const struct service_target *a, const struct service_target *b);

/* All services that are configured, in any order; from mem_alloc(). */
int32_t conf_services(const struct conf *conf, struct service **out, size_t *n, struct fault *fault);
/* A service that no configuration knows: `name` is a target URI or "host[:port]" (http://), the defaults' policy applies.
 * MESH_ERR_INVALID or MESH_ERR_NO_ROUTE (xds: without a control plane) with a sentence. */
int32_t conf_service_of(const struct conf *conf, const char *name, struct service *out, struct fault *fault);

/* The configuration says something of this service. */
bool conf_has_own_values(const struct conf *conf, const char *service);

/* Zone of an address by MESH_ZONE_CIDRS; "" when none matches. Borrowed from conf. */
const char *conf_zone_of(const struct conf *conf, const struct addr *addr);

/* The file the configuration was read from (for watching), NULL when none. Borrowed. */
const char *conf_file(const struct conf *conf);
/* A fresh configuration: the same as `conf`, its file read again and checked. NULL with a fault when the file is broken. */
struct conf *conf_reread(const struct conf *conf, struct fault *fault);

#endif
