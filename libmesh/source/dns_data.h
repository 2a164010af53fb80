/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a good answer, copied, sorted and bounded. Private to source/. */
#ifndef SOURCE_DNS_DATA_H
#define SOURCE_DNS_DATA_H

#include "net/net.h"

struct dns_data {
    struct addr *addrs; /* sorted; no two are the same */
    size_t n_addrs;
    enum addr_family prefers;
    struct net_srv *srvs;
    size_t n_srvs;
    char *targets;   /* what srvs point into */
    size_t left_out; /* records beyond DNS_MOST_RECORDS */
};

/* Addresses of a family that a partial answer does not tell are kept from `before`. False: out of memory, *out is empty. */
bool dns_data_take(struct dns_data *out, const struct net_answer *answer, const struct dns_data *before);
bool dns_data_equal(const struct dns_data *a, const struct dns_data *b);
void dns_data_clear(struct dns_data *data);

#endif
