/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting until a service is known, for whoever describes or explains it. */
#include "client/know.h"

/* How often the state is looked at while somebody waits to read it. */
#define LOOK_EVERY_US (5 * US_PER_MS)

static bool is_checked(const struct endpoint *endpoint)
{
    char why[FAULT_TEXT];

    return endpoint->spare || endpoint->unchecked || endpoint->cluster->conf->policy.health.kind == HEALTH_OFF ||
           endpoint_health(endpoint, why) != HEALTH_UNKNOWN;
}

static bool is_settled(struct endpoint *endpoint)
{
    enum pool_health health;

    if (endpoint->told_health != ENDPOINT_HEALTHY && endpoint->told_health != ENDPOINT_DEGRADED)
        return true; /* nobody is to connect to it */
    if (endpoint_open_pool(endpoint, NULL) != 0)
        return true;
    health = pool_state(endpoint->pool).health;
    if (health == POOL_IDLE)
        pool_warm(endpoint->pool);
    return health != POOL_IDLE && health != POOL_CONNECTING && is_checked(endpoint);
}

static bool all_settled(struct cluster *cluster)
{
    bool settled = true;

    LIST_EACH(link, &cluster->endpoints) {
        settled = is_settled(CONTAINER_OF(link, struct endpoint, link)) && settled;
    }
    return settled;
}

static int32_t find(struct knowing *knowing)
{
    int32_t err;

    if (knowing->is_cluster)
        return lane_find_cluster(knowing->env, knowing->what.service, &knowing->cluster);
    err = lane_find_home(knowing->env, &knowing->what, &knowing->choice, &knowing->cluster, &knowing->fault);

    if (err)
        knowing->choice.routes = NULL; /* none was taken */
    return err;
}

void know_forget(struct knowing *knowing)
{
    model_routes_unref(knowing->choice.routes);
    cluster_unref(knowing->cluster);
}

static bool look(struct knowing *knowing)
{
    if (!knowing->is_known) {
        knowing->err = find(knowing);
        if (knowing->err == MESH_ERR_AGAIN)
            return false;
        knowing->is_known = true;
    }
    if (knowing->err || !knowing->cluster)
        return true;
    if (knowing->cluster->set->state == ENDPOINTS_PENDING)
        return false;
    return !knowing->connect || all_settled(knowing->cluster);
}

static void on_look(struct loop_timer *timer)
{
    struct knowing *knowing = CONTAINER_OF(timer, struct knowing, look);
    uint64_t now = loop_now_us(knowing->lane->loop);

    if (look(knowing) || now >= knowing->until_us)
        loop_waiter_done(knowing->lane->loop, &knowing->waiter);
    else
        loop_timer_set(knowing->lane->loop, &knowing->look, now + LOOK_EVERY_US);
}

int32_t know_service(struct knowing *knowing)
{
    struct loop *loop = knowing->lane->loop;

    knowing->env = &knowing->lane->env;
    knowing->look.on_due = on_look;
    loop_waiter_init(&knowing->waiter);
    loop_enter(loop);
    loop_timer_set(loop, &knowing->look, 0);
    loop_leave(loop);
    loop_wait(loop, &knowing->waiter, LOOP_FOREVER, false);
    if (knowing->err == MESH_ERR_AGAIN)
        return fault_set(&knowing->fault, MESH_ERR_TIMEOUT, "service \"%.200s\" was not known in time",
                         knowing->what.service);
    return knowing->err;
}

/* ---- showing ---- */

void know_write_error(struct json_writer *w, const struct fault *fault)
{
    json_key(w, "error");
    if (fault->code == 0) {
        json_quoted(w, NULL);
        return;
    }
    json_begin(w, '{');
    json_key(w, "code");
    json_quoted(w, error_name(fault->code));
    json_key(w, "detail");
    json_quoted(w, fault->text);
    json_end(w, '}');
}

const char *know_state_name(enum model_endpoints_state state)
{
    static const char *const names[] = { "pending", "ready", "failed", "withdrawn" };

    return names[state];
}
