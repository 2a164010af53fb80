/* SPDX-License-Identifier: Apache-2.0 */
/* The SRV records of a DNS answer (RFC 2782), with the TTL that c-ares 1.18 does not tell. Pure. Private to net/. */
#ifndef NET_RESOLVER_SRV_H
#define NET_RESOLVER_SRV_H

#include "net/net.h"

struct srv_records {
    struct net_srv *srvs; /* sorted by priority, then weight descending, then target and port; no two are the same */
    size_t n;
    char *targets;  /* what the srvs' targets point into */
    uint32_t ttl_s; /* least of the records and of the CNAMEs that led to them */
};

/* Takes the records of the name that was asked for, or of where its CNAMEs lead. 0 (also with no record at all),
 * MESH_ERR_DNS for a message that is malformed before its last answer, MESH_ERR_NOMEM. */
int32_t srv_records_read(struct srv_records *out, const uint8_t *packet, size_t len);
void srv_records_free(struct srv_records *records);

#endif
