/* SPDX-License-Identifier: Apache-2.0 */
/* Health checks that only connect, with TLS where the endpoint's connections have it. A connection of its own, closed at once. */
#include "cluster/checker.h"

static void on_dialled(void *user, int32_t err, struct net_stream *stream, const struct fault *fault)
{
    struct check *check = user;

    check->dial = NULL;
    if (err) {
        check_got_nothing(check, fault);
        return;
    }
    net_stream_close(stream);
    check_ended(check, HEALTH_PASSED, NULL);
}

static int32_t begin(struct check *check, struct fault *fault)
{
    struct cluster *cluster = check->endpoint->cluster;
    struct net_dial_conf conf = {
        .addrs = check->endpoint->addrs,
        .n_addrs = check->endpoint->n_addrs,
        .timeout_us = check->conf->policy.health.timeout_ms * US_PER_MS,
    };
    int32_t err = endpoint_need_tls(check->endpoint, &conf.tls, fault);

    if (err)
        return err;
    conf.server_name = endpoint_server_name(check->endpoint);
    if (!conf.server_name)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = net_dial_start(cluster->env.loop, &conf, on_dialled, check, &check->dial);
    return err ? fault_set(fault, err, "the check could not begin: %s", error_text(err)) : 0;
}

static void end(struct check *check)
{
    if (check->dial)
        net_dial_cancel(check->dial);
    check->dial = NULL;
}

const struct check_ops check_tcp = { begin, end };
