/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds and waits of active health checks. */
#include "cluster/health.h"

const char *health_state_name(enum health_state state)
{
    static const char *const names[] = { "unknown", "healthy", "unhealthy" };

    return names[state];
}

static enum health_state after_pass(const struct health *health, const struct policy_health *conf)
{
    bool again_well = health->state != HEALTH_UNHEALTHY || health->passed >= conf->healthy_threshold;

    return again_well ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;
}

static enum health_state after_failure(const struct health *health, const struct policy_health *conf,
                                       enum health_verdict verdict)
{
    bool still_well = health->state == HEALTH_HEALTHY && verdict == HEALTH_FAILED;

    return still_well && health->failed < conf->unhealthy_threshold ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;
}

bool health_judge(struct health *health, const struct policy_health *conf, enum health_verdict verdict)
{
    enum health_state before = health->state;

    if (verdict == HEALTH_UNTOLD)
        return false;
    if (verdict == HEALTH_PASSED) {
        health->passed++;
        health->failed = 0;
        health->state = after_pass(health, conf);
    } else {
        health->failed++;
        health->passed = 0;
        health->state = after_failure(health, conf, verdict);
    }
    return health->state != before;
}

uint64_t health_first_wait_us(const struct policy_health *conf, struct rand *dice)
{
    uint64_t most = conf->interval_ms * US_PER_MS;

    return rand_below(dice, most < US_PER_S ? most : US_PER_S);
}

uint64_t health_wait_us(const struct policy_health *conf, struct rand *dice)
{
    uint64_t tenth = conf->interval_ms * US_PER_MS / 10;

    return 9 * tenth + rand_below(dice, 2 * tenth + 1);
}
