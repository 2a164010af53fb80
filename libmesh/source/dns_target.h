/* SPDX-License-Identifier: Apache-2.0 */
/* One target of a service kept resolved: a host, or an SRV name with the hosts it leads to. Private to source/. */
#ifndef SOURCE_DNS_TARGET_H
#define SOURCE_DNS_TARGET_H

#include "source/dns_found.h"
#include "source/dns_name.h"
#include "source/service.h"

struct dns_hosts;

struct dns_target {
    const struct service_target *conf; /* borrowed */
    struct dns_names *names;
    struct dns_watch watch;  /* of the host or the SRV name; none for literal addresses */
    struct dns_hosts *hosts; /* where the SRV records lead */
    bool active;
    void (*on_change)(void *user);
    void *user;
};

/* What targets know, added up. */
struct dns_tally {
    unsigned pending;           /* names whose first answer has not come */
    unsigned withdrawn, failed; /* targets that are not there, that gave no address */
    struct fault fault;         /* of one name that fails; code 0: none does */
};

/* Zeroed before. on_change comes whenever dns_target_collect() may have something else to tell. MESH_ERR_NOMEM. */
int32_t dns_target_begin(struct dns_target *target, struct dns_names *names, const struct service_target *conf,
                         void (*on_change)(void *user), void *user);
void dns_target_end(struct dns_target *target);
/* Keeps the names fresh, or lets them rest. */
void dns_target_activate(struct dns_target *target, bool active);
/* Adds the target's addresses. Strings in them are borrowed from the target. */
void dns_target_collect(const struct dns_target *target, struct dns_founds *founds, struct dns_tally *tally);

#endif
