/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters and snapshots: counted values that are complete when they are published. */
#include "model/model.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct model_cluster *model_cluster_new(const char *name)
{
    struct model_cluster *cluster = mem_zalloc(sizeof *cluster);

    if (!cluster)
        return NULL;
    cluster->refs = 1;
    cluster->policy.balance = "";
    cluster->name = mem_strdup(name);
    if (!cluster->name) {
        mem_free(cluster);
        return NULL;
    }
    cluster->label = cluster->name;
    return cluster;
}

struct model_cluster *model_cluster_ref(struct model_cluster *cluster)
{
    if (cluster)
        atomic_fetch_add_explicit(&cluster->refs, 1, memory_order_relaxed);
    return cluster;
}

void model_cluster_unref(struct model_cluster *cluster)
{
    if (!cluster || atomic_fetch_sub_explicit(&cluster->refs, 1, memory_order_acq_rel) != 1)
        return;
    model_pem_unref(cluster->tls.pem);
    peer_names_unref(cluster->tls.names);
    model_subsets_free(cluster->subsets);
    mem_free(cluster->name);
    mem_free(cluster->authority);
    mem_free(cluster->proxy);
    mem_free(cluster->strings);
    mem_free(cluster);
}

/* ---- its texts ---- */

enum { TEXTS = 12 };

static void texts_of(struct model_cluster *cluster, const char **texts[TEXTS])
{
    struct policy *policy = &cluster->policy;
    const char **all[TEXTS] = {
        &policy->balance,     &policy->hash.header, &policy->spill.zone,          &policy->spill.distances,
        &policy->health.path, &policy->health.host, &policy->health.grpc_service, &cluster->tls.ca,
        &cluster->tls.cert,   &cluster->tls.key,    &cluster->tls.server_name,    &policy->load.metrics,
    };

    memcpy(texts, all, sizeof all);
}

bool model_cluster_own_texts(struct model_cluster *cluster)
{
    const char **texts[TEXTS];
    size_t size = 1;
    char *at, *strings;

    texts_of(cluster, texts);
    for (size_t i = 0; i < TEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    strings = mem_alloc(size);
    if (!strings)
        return false;
    at = strings;
    for (size_t i = 0; i < TEXTS; i++) {
        size_t len = *texts[i] ? strlen(*texts[i]) + 1 : 0;

        if (len > 0)
            *texts[i] = memcpy(at, *texts[i], len);
        at += len;
    }
    mem_free(cluster->strings);
    cluster->strings = strings;
    return true;
}

/* ---- its identity ---- */

static uint64_t mix(uint64_t so_far, uint64_t more)
{
    uint64_t both[2] = { so_far, more };

    return hash_bytes(both, sizeof both);
}

/* No text and the empty text differ. */
static uint64_t mix_text(uint64_t so_far, const char *text)
{
    return mix(so_far, text ? hash_bytes(text, strlen(text)) : 0);
}

static uint64_t mix_pem(uint64_t so_far, const struct model_pem *pem)
{
    return mix_text(mix_text(mix_text(so_far, pem->ca), pem->cert), pem->key);
}

void model_cluster_identify(struct model_cluster *cluster)
{
    const struct policy_tls *tls = &cluster->tls;
    const char *texts[] = { cluster->proxy, tls->ca, tls->cert, tls->key, tls->server_name };
    uint64_t identity = mix(cluster->protocol, mix((uint64_t) tls->insecure, (uint64_t) tls->min_version));

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        identity = mix_text(identity, texts[i]);
    identity = mix(mix(identity, (uint64_t) tls->any_name << 1 | tls->by_endpoint), peer_names_hash(tls->names));
    cluster->identity = tls->pem ? mix_pem(identity, tls->pem) : identity;
}

/* ---- what stands in files ---- */

struct model_pem *model_pem_ref(struct model_pem *pem)
{
    if (pem)
        atomic_fetch_add_explicit(&pem->refs, 1, memory_order_relaxed);
    return pem;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    mem_free(text);
}

void model_pem_unref(struct model_pem *pem)
{
    if (!pem || atomic_fetch_sub_explicit(&pem->refs, 1, memory_order_acq_rel) != 1)
        return;
    mem_free(pem->ca);
    mem_free(pem->cert);
    free_secret(pem->key);
    mem_free(pem);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool model_pem_equal(const struct model_pem *a, const struct model_pem *b)
{
    return a == b || (a && b && same_text(a->ca, b->ca) && same_text(a->cert, b->cert) && same_text(a->key, b->key));
}

/* ---- snapshots ---- */

static int by_name(const void *a, const void *b)
{
    const struct model_entry *x = a, *y = b;

    return strcmp(x->cluster->name, y->cluster->name);
}

struct model_snapshot *model_snapshot_new(uint64_t version, const char *zone, const struct model_entry *entries,
                                          size_t n)
{
    struct model_snapshot *snapshot = mem_zalloc(sizeof *snapshot);
    char *zone_copy = mem_strdup(zone);
    struct model_entry *copies = n > 0 ? mem_array(n, sizeof *copies) : NULL;

    if (!snapshot || !zone_copy || (n > 0 && !copies)) {
        mem_free(snapshot);
        mem_free(zone_copy);
        mem_free(copies);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        copies[i].cluster = model_cluster_ref(entries[i].cluster);
        copies[i].endpoints = model_endpoints_ref(entries[i].endpoints);
    }
    if (n > 1)
        qsort(copies, n, sizeof *copies, by_name);
    *snapshot = (struct model_snapshot){ .refs = 1, .version = version, .zone = zone_copy, .n = n, .entries = copies };
    return snapshot;
}

static int by_service(const void *a, const void *b)
{
    return strcmp(((const struct model_service *) a)->name, ((const struct model_service *) b)->name);
}

static void free_services(struct model_service *services, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        mem_free(services[i].name);
        model_routes_unref(services[i].routes);
    }
    mem_free(services);
}

bool model_snapshot_add_services(struct model_snapshot *snapshot, const struct model_service *services, size_t n)
{
    struct model_service *copies = n > 0 ? mem_array(n, sizeof *copies) : NULL;

    if (n > 0 && !copies)
        return false;
    for (size_t i = 0; i < n; i++) {
        copies[i] = (struct model_service){ .name = mem_strdup(services[i].name), .fault = services[i].fault };
        if (!copies[i].name) {
            free_services(copies, i);
            return false;
        }
        copies[i].routes = model_routes_ref(services[i].routes);
    }
    if (n > 1)
        qsort(copies, n, sizeof *copies, by_service);
    snapshot->services = copies;
    snapshot->n_services = n;
    return true;
}

struct model_snapshot *model_snapshot_ref(struct model_snapshot *snapshot)
{
    if (snapshot)
        atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
    return snapshot;
}

void model_snapshot_unref(struct model_snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->n; i++) {
        model_cluster_unref(snapshot->entries[i].cluster);
        model_endpoints_unref(snapshot->entries[i].endpoints);
    }
    free_services(snapshot->services, snapshot->n_services);
    mem_free((char *) snapshot->zone);
    mem_free(snapshot->entries);
    mem_free(snapshot);
}

static int compare_name(const void *name, const void *entry)
{
    return strcmp(name, ((const struct model_entry *) entry)->cluster->name);
}

const struct model_entry *model_snapshot_find(const struct model_snapshot *snapshot, const char *cluster)
{
    if (snapshot->n == 0)
        return NULL;
    return bsearch(cluster, snapshot->entries, snapshot->n, sizeof *snapshot->entries, compare_name);
}

static int compare_service(const void *name, const void *service)
{
    return strcmp(name, ((const struct model_service *) service)->name);
}

const struct model_service *model_snapshot_service(const struct model_snapshot *snapshot, const char *service)
{
    if (snapshot->n_services == 0)
        return NULL;
    return bsearch(service, snapshot->services, snapshot->n_services, sizeof *snapshot->services, compare_service);
}
