/* SPDX-License-Identifier: Apache-2.0 */
/* Which clusters have certificates in files, and reading them again. */
#include "source/xds/identities.h"

#define SLICE_US (2 * US_PER_MS)

static struct resource *next_cluster(const struct identities *identities, size_t *at)
{
    struct resource *resource;

    while ((resource = map_next(&identities->store->types[XDS_CLUSTER], at)))
        if (resource->cluster)
            return resource;
    return NULL;
}

/* True: some are left. */
static bool renew_some(const struct identities *identities)
{
    uint64_t until_us = clock_now_us() + SLICE_US;
    struct resource *resource;
    size_t at = 0;

    while ((resource = next_cluster(identities, &at))) {
        if (!resource->is_outdated)
            continue;
        if (clock_now_us() > until_us)
            return true;
        store_read_again(resource);
    }
    return false;
}

static void on_slice(struct loop_timer *timer)
{
    struct identities *identities = CONTAINER_OF(timer, struct identities, slice);

    if (renew_some(identities))
        loop_timer_set(identities->loop, &identities->slice, loop_now_us(identities->loop));
}

static bool names_files(const struct xds_cluster *cluster)
{
    const struct policy_tls *tls = &cluster->conf->tls;

    return tls->ca || tls->cert || tls->key;
}

static void on_change(struct tls_files_user *user)
{
    struct identities *identities = CONTAINER_OF(user, struct identities, user);
    struct resource *resource;
    size_t at = 0;

    while ((resource = next_cluster(identities, &at)))
        resource->is_outdated |= names_files(resource->cluster);
    loop_timer_set(identities->loop, &identities->slice, loop_now_us(identities->loop));
}

static void keep(struct tls_files_user *user)
{
    struct identities *identities = CONTAINER_OF(user, struct identities, user);
    struct resource *resource;
    size_t at = 0;

    while ((resource = next_cluster(identities, &at)))
        tls_files_keep(identities->source, resource->cluster->conf);
}

void identities_begin(struct identities *identities, struct source *source, struct store *store, struct loop *loop)
{
    *identities = (struct identities){ .source = source, .store = store, .loop = loop };
    identities->user.on_change = on_change;
    identities->user.keep = keep;
    identities->slice.on_due = on_slice;
    if (source)
        tls_files_join(source, &identities->user);
}

void identities_end(struct identities *identities)
{
    if (!identities->loop)
        return;
    loop_timer_cancel(identities->loop, &identities->slice);
    if (identities->source)
        tls_files_leave(&identities->user);
}

void identities_attach(const struct identities *identities, struct model_cluster *cluster)
{
    if (identities->source)
        tls_files_attach(identities->source, cluster);
}
