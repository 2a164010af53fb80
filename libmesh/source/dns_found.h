/* SPDX-License-Identifier: Apache-2.0 */
/* From resolved addresses to a set of endpoints: pairs, duplicates, weights, ranks of priority. Pure. Private to source/. */
#ifndef SOURCE_DNS_FOUND_H
#define SOURCE_DNS_FOUND_H

#include "model/model.h"
#include "net/net.h"
#include "source/service.h"

/* What all addresses of one host have in common. Strings are borrowed until the endpoints are made. */
struct dns_host_of {
    const char *zone;     /* "": by MESH_ZONE_CIDRS, else none */
    const char *hostname; /* "" none */
    uint16_t port;
    uint32_t weight, priority; /* priorities may have gaps */
    enum service_families families;
};

struct dns_found {
    struct addr addr, alternative;
    struct dns_host_of of;
    size_t order; /* in which it was added */
};

/* Zeroed is empty. Once `failed`, memory was short. */
struct dns_founds {
    struct dns_found *items;
    size_t n, cap;
    bool failed;
};

void dns_founds_add(struct dns_founds *founds, const struct addr *addr, const struct addr *alternative,
                    const struct dns_host_of *of);
/* Addresses of one host, sorted: the i-th IPv4 and the i-th IPv6 address are one endpoint, that of the family that is preferred
 * first; what is left over stands alone. */
void dns_founds_add_host(struct dns_founds *founds, const struct addr *addrs, size_t n, enum addr_family prefers,
                         const struct dns_host_of *of);
/* One of them is all: that of `now` (a set of one), if it is still there. */
void dns_founds_keep_one(struct dns_founds *founds, const struct model_endpoints *now);
void dns_founds_clear(struct dns_founds *founds);

/* READY endpoints in order of priority, priorities without gaps, each address once: with the best priority it has. conf NULL:
 * zones stay as they are. NULL: out of memory. */
struct model_endpoints *dns_founds_endpoints(struct dns_founds *founds, const struct conf *conf, const char *source);

/* ---- SRV records ---- */

/* Something can be connected to through the record. */
bool dns_srv_usable(const struct net_srv *srv);
/* The service is decidedly not there (RFC 2782): the one record's target is the root. */
bool dns_srv_withdrawn(const struct net_srv *srvs, size_t n);
/* RFC 2782 wants a weight of 0 to be chosen very seldom, which is not never: 0 becomes 1, and where `mixed` (the answer has other
 * weights, too) all others are a hundred times as large. */
uint32_t dns_srv_weight(uint16_t weight, bool mixed);
bool dns_srv_mixed(const struct net_srv *srvs, size_t n);

#endif
