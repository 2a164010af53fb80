/* SPDX-License-Identifier: Apache-2.0 */
/* One service whose targets are kept resolved, as the set of endpoints it has now. Private to source/. */
#ifndef SOURCE_DNS_SERVICE_H
#define SOURCE_DNS_SERVICE_H

#include "source/dns_target.h"

struct dns_service;

/* `targets` is borrowed as long as the service lives. `before` (NULL: none) is what a former configuration of it had: it serves
 * until the targets have answered. on_change says that dns_service_update() may have something new. MESH_ERR_NOMEM. */
int32_t dns_service_new(struct loop *loop, struct dns_names *names, const struct service_target *targets,
                        size_t n_targets, struct model_endpoints *before, void (*on_change)(void *user), void *user,
                        struct dns_service **out);
void dns_service_free(struct dns_service *service);
void dns_service_activate(struct dns_service *service, bool active);
/* Works out the endpoints of now. True when they are others than before. Out of memory, they stay for
 * now: on_change comes again. */
bool dns_service_update(struct dns_service *service, const struct conf *conf);
/* Borrowed; never NULL. */
struct model_endpoints *dns_service_endpoints(const struct dns_service *service);

/* ---- the decision, pure ---- */

enum dns_verdict {
    DNS_HOLD,     /* go on with what is there: more answers are about to come */
    DNS_PUBLISH,  /* the found endpoints are the set */
    DNS_KEEP,     /* go on with the last good set, and say what is wrong */
    DNS_FAIL,     /* nothing was ever known */
    DNS_WITHDRAW, /* there is decidedly nothing */
};

/* `had_good`: these targets have given endpoints before. `waited`: some of them, long enough for the others. */
enum dns_verdict dns_service_judge(const struct dns_tally *tally, size_t n_found, bool had_good, bool waited);

#endif
