/* SPDX-License-Identifier: Apache-2.0 */
/* Where a control plane is connected to, and what it is called there. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_CHANNEL_ADDRESS_H
#define SOURCE_XDS_CHANNEL_ADDRESS_H

#include "model/model.h"

/* That one attempt to connect goes through; more of a name have their turn in the next attempts. */
enum { CHANNEL_ADDRS_MOST = 16 };

/* The addresses of a host in the order in which they are raced: families take turns (RFC 8305 section 4), the preferred one first; each
 * family begins anywhere, so that the clients of several servers behind one name share them. Returns how many there are in `out`. */
size_t channel_order_addrs(const struct addr *addrs, size_t n, enum addr_family prefers, uint16_t port, uint64_t dice,
                           struct addr out[CHANNEL_ADDRS_MOST]);
/* ":authority" as gRPC has it: what stands in the target, "localhost" for unix sockets. From mem_alloc(); NULL: out of memory. */
char *channel_authority(const struct model_target *target);
/* What the server's certificate is verified by. Borrowed from the target. */
const char *channel_server_name(const struct model_target *target);

#endif
