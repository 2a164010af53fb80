/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in the order of a race, and names. */
#include "source/xds/channel_address.h"

#include <string.h>

static const char local[] = "localhost";

/* The nth address of the family, counted in a circle; NULL: there is none. */
static const struct addr *nth_of(const struct addr *addrs, size_t n, enum addr_family family, size_t nth)
{
    for (size_t i = 0; i < n; i++)
        if (addrs[i].family == family && nth-- == 0)
            return &addrs[i];
    return NULL;
}

static size_t count_of(const struct addr *addrs, size_t n, enum addr_family family)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += addrs[i].family == family;
    return count;
}

size_t channel_order_addrs(const struct addr *addrs, size_t n, enum addr_family prefers, uint16_t port, uint64_t dice,
                           struct addr out[CHANNEL_ADDRS_MOST])
{
    const enum addr_family families[2] = { prefers == ADDR_IPV6 ? ADDR_IPV6 : ADDR_IPV4,
                                           prefers == ADDR_IPV6 ? ADDR_IPV4 : ADDR_IPV6 };
    const size_t counts[2] = { count_of(addrs, n, families[0]), count_of(addrs, n, families[1]) };
    size_t taken = 0;

    for (size_t round = 0; taken < CHANNEL_ADDRS_MOST && (round < counts[0] || round < counts[1]); round++)
        for (size_t i = 0; i < 2 && taken < CHANNEL_ADDRS_MOST; i++)
            if (round < counts[i]) {
                out[taken] = *nth_of(addrs, n, families[i], (dice % counts[i] + round) % counts[i]);
                out[taken++].port = port;
            }
    return taken;
}

char *channel_authority(const struct model_target *target)
{
    bool bracketed = target->kind == TARGET_ADDRESS && target->addr.family == ADDR_IPV6;
    struct buf text = { 0 };
    char *authority = NULL;
    bool done;

    if (target->kind == TARGET_UNIX)
        return mem_strdup(local);
    done = buf_printf(&text, "%s%s%s", bracketed ? "[" : "", target->host, bracketed ? "]" : "") &&
           (!target->port_written || buf_printf(&text, ":%u", target->port));
    if (done)
        authority = mem_strndup((const char *) buf_bytes(&text), buf_len(&text));
    buf_free(&text);
    return authority;
}

const char *channel_server_name(const struct model_target *target)
{
    return target->kind == TARGET_UNIX ? local : target->host;
}
