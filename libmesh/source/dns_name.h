/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are kept resolved: each is looked up once for all who watch it, again before its answer ends, and keeps its last
 * good answer while lookups fail. Private to source/.
 *
 * Vocabulary
 *   watch     somebody's interest in a name; an active one keeps it fresh, the others only keep what is known
 *   failing   the last lookup gave no usable answer; what is known from before stays */
#ifndef SOURCE_DNS_NAME_H
#define SOURCE_DNS_NAME_H

#include "loop/loop.h"
#include "net/net.h"
#include "observe/observe.h"

struct dns_names;
struct dns_name;

/* More records of one answer than these are not used; which ones are does not depend on their order. */
enum { DNS_MOST_RECORDS = 1000 };

struct dns_names_conf {
    struct net_resolver_conf resolver;
    uint64_t min_ttl_ms, max_ttl_ms;
};

/* Opens nothing. MESH_ERR_INVALID, MESH_ERR_NOMEM. */
int32_t dns_names_new(struct loop *loop, const struct dns_names_conf *conf, struct observe *observe,
                      struct dns_names **out, struct fault *fault);
/* Nobody watches any more. */
void dns_names_free(struct dns_names *names);
/* From now on with these limits and servers; nothing known is lost. On an error everything stays as it was. */
int32_t dns_names_reconfigure(struct dns_names *names, const struct dns_names_conf *conf, struct fault *fault);

enum dns_kind { DNS_HOST, DNS_SRV };

/* Embedded in its owner, who sets on_change. */
struct dns_watch {
    struct dns_name *name;
    struct list link;
    bool active;
    /* The name's answer or state has changed. Watches of other names may be begun and ended here, of this one not. */
    void (*on_change)(struct dns_watch *watch);
};

/* Not active yet. MESH_ERR_NOMEM. */
int32_t dns_watch_begin(struct dns_names *names, enum dns_kind kind, const char *text, struct dns_watch *watch);
/* Fine for one that was never begun (zeroed). */
void dns_watch_end(struct dns_watch *watch);
void dns_watch_activate(struct dns_watch *watch, bool active);
/* on_change could not do its work, for want of memory: it comes again with the next answer, soon. */
void dns_watch_again(struct dns_watch *watch);

/* ---- what is known of a watched name ---- */

/* The first answer, good or bad, has not come. */
bool dns_name_pending(const struct dns_name *name);
/* Why the last lookup failed; NULL: it did not. */
const struct fault *dns_name_fault(const struct dns_name *name);
/* Of the last good answer; NULL with *n 0 when there was none. Sorted, so that equal answers are equal arrays. */
const struct addr *dns_name_addrs(const struct dns_name *name, size_t *n);
const struct net_srv *dns_name_srvs(const struct dns_name *name, size_t *n);
/* Which family the system prefers for this host (RFC 6724). */
enum addr_family dns_name_prefers(const struct dns_name *name);

#endif
