/* SPDX-License-Identifier: Apache-2.0 */
/* Envoy's outlier detection in a cluster: what attempts tell the detector, and what follows from what it decides. The rules
 * are in outlier_envoy.c. Each loop judges by the attempts that it makes. */
#include "cluster/state.h"

struct envoy_host {
    struct outlier_envoy_host host;
    struct endpoint *endpoint;
};

static struct endpoint *endpoint_of(struct outlier_envoy_host *host)
{
    return CONTAINER_OF(host, struct envoy_host, host)->endpoint;
}

static const struct policy_outlier_envoy *conf_of(const struct cluster *cluster)
{
    return &cluster->conf->policy.outlier.envoy;
}

/* ---- what the detector has decided ---- */

static void tell(struct endpoint *endpoint)
{
    const struct outlier_envoy_host *host = endpoint->envoy;
    const struct cluster *cluster = endpoint->cluster;

    if (host->ejected)
        OBSERVE(cluster->env.observe, MESH_LOG_INFO, "endpoint_isolated", FIELD_TEXT("cluster", cluster->conf->label),
                FIELD_TEXT("endpoint", endpoint->address), FIELD_TEXT("zone", endpoint->zone),
                FIELD_TEXT("why", outlier_envoy_reason_name(host->reason)),
                FIELD_NUMBER("for_ms", outlier_envoy_ejection_us(host, conf_of(cluster)) / US_PER_MS),
                FIELD_NUMBER("times", host->times));
    else
        OBSERVE(cluster->env.observe, MESH_LOG_INFO, "endpoint_well", FIELD_TEXT("cluster", cluster->conf->label),
                FIELD_TEXT("endpoint", endpoint->address), FIELD_TEXT("zone", endpoint->zone));
}

static void heed(struct outlier_envoy_host *host)
{
    if (!host->changed)
        return;
    host->changed = false;
    tell(endpoint_of(host));
    cluster_health_changed(endpoint_of(host)->cluster);
}

static void bring_up_to_date(struct cluster *cluster, uint64_t now_us)
{
    cluster->envoy.n_hosts = (uint32_t) cluster->n_made;
    if (!outlier_envoy_tick(&cluster->envoy, conf_of(cluster), now_us))
        return;
    LIST_EACH(link, &cluster->envoy.hosts) {
        heed(CONTAINER_OF(link, struct outlier_envoy_host, link));
    }
}

void cluster_look_at_envoy(struct cluster *cluster, uint64_t now_us)
{
    if (list_empty(&cluster->envoy.hosts))
        return;
    bring_up_to_date(cluster, now_us);
    if (cluster->envoy.tick_us < cluster->look_us)
        cluster->look_us = cluster->envoy.tick_us;
}

/* ---- what attempts tell ---- */

static bool join(struct endpoint *endpoint)
{
    struct envoy_host *host = mem_zalloc(sizeof *host);

    if (!host)
        return false;
    host->endpoint = endpoint;
    endpoint->envoy = &host->host;
    endpoint->cluster->look_us = 0;
    outlier_envoy_join(&endpoint->cluster->envoy, endpoint->envoy);
    return true;
}

/* NULL: another policy, or out of memory. */
static struct outlier_envoy_host *host_of(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;

    if (cluster->conf->policy.outlier.kind != OUTLIER_ENVOY || endpoint->removed)
        return NULL;
    if (!endpoint->envoy && !join(endpoint))
        return NULL;
    bring_up_to_date(cluster, loop_now_us(cluster->env.loop));
    return endpoint->envoy;
}

void endpoint_connected(struct endpoint *endpoint)
{
    struct outlier_envoy_host *host = host_of(endpoint);

    if (host)
        outlier_envoy_connected(host, conf_of(endpoint->cluster));
}

void endpoint_answered(struct endpoint *endpoint, int status)
{
    struct cluster *cluster = endpoint->cluster;
    struct outlier_envoy_host *host = host_of(endpoint);

    if (!host)
        return;
    outlier_envoy_answered(&cluster->envoy, host, conf_of(cluster), status, loop_now_us(cluster->env.loop));
    heed(host);
}

void endpoint_failed(struct endpoint *endpoint, bool timed_out)
{
    struct cluster *cluster = endpoint->cluster;
    struct outlier_envoy_host *host = host_of(endpoint);

    if (!host)
        return;
    outlier_envoy_failed(&cluster->envoy, host, conf_of(cluster), timed_out, loop_now_us(cluster->env.loop));
    heed(host);
}

void endpoint_check_passed(struct endpoint *endpoint)
{
    struct cluster *cluster = endpoint->cluster;

    if (!endpoint->envoy)
        return;
    outlier_envoy_passed(&cluster->envoy, endpoint->envoy, loop_now_us(cluster->env.loop));
    heed(endpoint->envoy);
}

/* ---- the end ---- */

void endpoint_leave_envoy(struct endpoint *endpoint)
{
    if (!endpoint->envoy)
        return;
    outlier_envoy_leave(&endpoint->cluster->envoy, endpoint->envoy);
    mem_free(CONTAINER_OF(endpoint->envoy, struct envoy_host, host));
    endpoint->envoy = NULL;
}
