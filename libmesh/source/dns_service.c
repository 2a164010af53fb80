/* SPDX-License-Identifier: Apache-2.0 */
/* Putting the targets of a service together.
 *
 * A set is made when every name has answered, or GRACE_US after there was something to make one of: neither does one slow zone hold
 * up the others, nor does all load fall on the first of twenty hosts whose answers come within the same millisecond. */
#include "source/dns_service.h"

#define GRACE_US (200 * US_PER_MS)
/* Until memory that was short is asked for again. */
#define AGAIN_US (100 * US_PER_MS)

struct dns_service {
    struct loop *loop;
    struct dns_target *targets;
    size_t n_targets;
    struct model_endpoints *endpoints;
    struct loop_timer grace, again;
    bool had_good; /* the endpoints come from these very targets */
    bool waited;   /* the grace is over */
    const char *source;
    void (*on_change)(void *user);
    void *user;
};

static void on_grace_over(struct loop_timer *timer)
{
    struct dns_service *service = CONTAINER_OF(timer, struct dns_service, grace);

    service->waited = true;
    service->on_change(service->user);
}

static void on_again(struct loop_timer *timer)
{
    struct dns_service *service = CONTAINER_OF(timer, struct dns_service, again);

    service->on_change(service->user);
}

static const char *source_of(const struct service_target *targets, size_t n)
{
    const char *source = "static";

    for (size_t i = 0; i < n; i++) {
        if (targets[i].target.kind == TARGET_SRV)
            return "srv";
        if (targets[i].target.kind == TARGET_HOST)
            source = "dns";
    }
    return source;
}

int32_t dns_service_new(struct loop *loop, struct dns_names *names, const struct service_target *targets,
                        size_t n_targets, struct model_endpoints *before, void (*on_change)(void *user), void *user,
                        struct dns_service **out)
{
    struct dns_service *service = mem_zalloc(sizeof *service);
    int32_t err = MESH_ERR_NOMEM;

    *out = NULL;
    if (!service)
        return MESH_ERR_NOMEM;
    service->loop = loop;
    service->grace.on_due = on_grace_over;
    service->again.on_due = on_again;
    service->on_change = on_change;
    service->user = user;
    service->source = source_of(targets, n_targets);
    service->endpoints =
        before ? model_endpoints_ref(before) : model_endpoints_new(ENDPOINTS_PENDING, service->source, 0);
    service->targets = mem_array(n_targets, sizeof *service->targets);
    if (!service->endpoints || !service->targets)
        goto fail;
    for (size_t i = 0; i < n_targets; i++) {
        service->n_targets = i + 1;
        err = dns_target_begin(&service->targets[i], names, &targets[i], on_change, user);
        if (err)
            goto fail;
    }
    *out = service;
    return 0;
fail:
    dns_service_free(service);
    return err;
}

void dns_service_free(struct dns_service *service)
{
    if (!service)
        return;
    for (size_t i = 0; i < service->n_targets; i++)
        dns_target_end(&service->targets[i]);
    loop_timer_cancel(service->loop, &service->grace);
    loop_timer_cancel(service->loop, &service->again);
    model_endpoints_unref(service->endpoints);
    mem_free(service->targets);
    mem_free(service);
}

void dns_service_activate(struct dns_service *service, bool active)
{
    for (size_t i = 0; i < service->n_targets; i++)
        dns_target_activate(&service->targets[i], active);
}

struct model_endpoints *dns_service_endpoints(const struct dns_service *service)
{
    return service->endpoints;
}

/* ---- what the targets say ---- */

enum dns_verdict dns_service_judge(const struct dns_tally *tally, size_t n_found, bool had_good, bool waited)
{
    if (n_found > 0)
        return tally->pending > 0 && !waited ? DNS_HOLD : DNS_PUBLISH;
    if (tally->pending > 0)
        return DNS_HOLD;
    if (tally->withdrawn > 0)
        return tally->failed > 0 ? DNS_FAIL : DNS_WITHDRAW;
    return had_good ? DNS_KEEP : DNS_FAIL;
}

/* The grace runs while something is found and something else is to come. */
static void run_grace(struct dns_service *service, const struct dns_tally *tally, size_t n_found)
{
    if (tally->pending == 0) {
        service->waited = false;
        loop_timer_cancel(service->loop, &service->grace);
    } else if (n_found > 0 && !service->waited && !service->grace.is_set) {
        loop_timer_set(service->loop, &service->grace, loop_now_us(service->loop) + GRACE_US);
    }
}

/* The same endpoints as before, with another fault. */
static struct model_endpoints *copy_endpoints(const struct model_endpoints *from)
{
    struct dns_founds founds = { 0 };
    struct model_endpoints *copy;

    for (size_t i = 0; i < from->n; i++) {
        const struct model_endpoint *e = &from->endpoints[i];
        const struct model_locality *place = model_endpoint_locality(from, e);
        const struct model_rare *rare = model_endpoint_rare(from, e);
        struct dns_host_of of = {
            .zone = place->zone,
            .hostname = rare->hostname,
            .port = e->addr.port,
            .weight = e->weight,
            .priority = place->priority,
        };

        dns_founds_add(&founds, &e->addr, &rare->alternative, &of);
    }
    copy = dns_founds_endpoints(&founds, NULL, from->source);
    dns_founds_clear(&founds);
    return copy;
}

static struct model_endpoints *make_set(const struct dns_service *service, enum dns_verdict verdict,
                                        struct dns_founds *founds, const struct conf *conf)
{
    switch (verdict) {
    case DNS_PUBLISH:
        return dns_founds_endpoints(founds, conf, service->source);
    case DNS_KEEP:
        return copy_endpoints(service->endpoints);
    case DNS_FAIL:
        return model_endpoints_new(ENDPOINTS_FAILED, service->source, 0);
    case DNS_WITHDRAW:
        return model_endpoints_new(ENDPOINTS_WITHDRAWN, service->source, 0);
    case DNS_HOLD:
        break;
    }
    return NULL;
}

/* Takes the set if it is another one. */
static bool take_set(struct dns_service *service, struct model_endpoints *set)
{
    if (model_endpoints_equal(set, service->endpoints)) {
        model_endpoints_unref(set);
        return false;
    }
    model_endpoints_unref(service->endpoints);
    service->endpoints = set;
    return true;
}

bool dns_service_update(struct dns_service *service, const struct conf *conf)
{
    struct dns_founds founds = { 0 };
    struct dns_tally tally = { 0 };
    struct model_endpoints *set;
    enum dns_verdict verdict;
    bool short_of_memory;

    for (size_t i = 0; i < service->n_targets; i++)
        dns_target_collect(&service->targets[i], &founds, &tally);
    if (service->targets[0].conf->is_one)
        dns_founds_keep_one(&founds, service->endpoints);
    run_grace(service, &tally, founds.n);
    verdict = dns_service_judge(&tally, founds.n, service->had_good, service->waited);
    short_of_memory = founds.failed;
    set = short_of_memory ? NULL : make_set(service, verdict, &founds, conf);
    dns_founds_clear(&founds);
    if (!set && (short_of_memory || verdict != DNS_HOLD))
        loop_timer_set(service->loop, &service->again, loop_now_us(service->loop) + AGAIN_US);
    if (!set)
        return false;
    set->fault = tally.fault;
    service->had_good = verdict == DNS_PUBLISH || (service->had_good && verdict == DNS_KEEP);
    return take_set(service, set);
}
