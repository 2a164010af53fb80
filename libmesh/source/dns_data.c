/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of DNS answers. Servers rotate their records: sorting makes equal answers equal. */
#include "source/dns_data.h"

#include <stdlib.h>
#include <string.h>

#include "source/dns_name.h"

static int by_address(const void *a, const void *b)
{
    const struct addr *x = a, *y = b;

    if (x->family != y->family)
        return x->family < y->family ? -1 : 1;
    if (x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return memcmp(x->ip, y->ip, sizeof x->ip);
}

static bool has_family(const struct addr *addrs, size_t n, uint8_t family)
{
    for (size_t i = 0; i < n; i++)
        if (addrs[i].family == family)
            return true;
    return false;
}

static void sort_addrs(struct dns_data *data)
{
    size_t n = 0;

    qsort(data->addrs, data->n_addrs, sizeof *data->addrs, by_address);
    for (size_t i = 0; i < data->n_addrs; i++)
        if (n == 0 || by_address(&data->addrs[n - 1], &data->addrs[i]) != 0)
            data->addrs[n++] = data->addrs[i];
    data->left_out = n > DNS_MOST_RECORDS ? n - DNS_MOST_RECORDS : 0;
    data->n_addrs = n - data->left_out;
}

static bool take_addrs(struct dns_data *out, const struct net_answer *answer, const struct dns_data *before)
{
    bool kept = false;
    size_t n = answer->n_addrs, most = n + (answer->partial ? before->n_addrs : 0);

    out->addrs = mem_array(most, sizeof *out->addrs);
    if (!out->addrs)
        return false;
    memcpy(out->addrs, answer->addrs, n * sizeof *out->addrs);
    out->prefers = (enum addr_family) answer->addrs[0].family;
    for (size_t i = 0; answer->partial && i < before->n_addrs; i++) {
        if (has_family(answer->addrs, answer->n_addrs, before->addrs[i].family))
            continue;
        out->addrs[n++] = before->addrs[i];
        kept = true;
    }
    if (kept)
        out->prefers = before->prefers;
    out->n_addrs = n;
    sort_addrs(out);
    return true;
}

static bool take_srvs(struct dns_data *out, const struct net_answer *answer)
{
    size_t n = answer->n_srvs, bytes = 0;
    char *text;

    if (n > DNS_MOST_RECORDS)
        n = DNS_MOST_RECORDS;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(answer->srvs[i].target) + 1;
    out->srvs = mem_array(n, sizeof *out->srvs);
    text = out->targets = mem_alloc(bytes);
    if (!out->srvs || !text)
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(answer->srvs[i].target) + 1;

        out->srvs[i] = answer->srvs[i];
        out->srvs[i].target = memcpy(text, answer->srvs[i].target, len);
        text += len;
    }
    out->n_srvs = n;
    out->left_out = answer->n_srvs - n;
    return true;
}

bool dns_data_take(struct dns_data *out, const struct net_answer *answer, const struct dns_data *before)
{
    bool done;

    *out = (struct dns_data){ 0 };
    done = answer->n_srvs > 0 ? take_srvs(out, answer) : take_addrs(out, answer, before);
    if (!done)
        dns_data_clear(out);
    return done;
}

static bool srv_equal(const struct net_srv *a, const struct net_srv *b)
{
    return a->priority == b->priority && a->weight == b->weight && a->port == b->port &&
           strcmp(a->target, b->target) == 0;
}

bool dns_data_equal(const struct dns_data *a, const struct dns_data *b)
{
    if (a->n_addrs != b->n_addrs || a->n_srvs != b->n_srvs || a->prefers != b->prefers)
        return false;
    for (size_t i = 0; i < a->n_addrs; i++)
        if (by_address(&a->addrs[i], &b->addrs[i]) != 0)
            return false;
    for (size_t i = 0; i < a->n_srvs; i++)
        if (!srv_equal(&a->srvs[i], &b->srvs[i]))
            return false;
    return true;
}

void dns_data_clear(struct dns_data *data)
{
    mem_free(data->addrs);
    mem_free(data->srvs);
    mem_free(data->targets);
    *data = (struct dns_data){ 0 };
}
