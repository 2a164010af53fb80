/* SPDX-License-Identifier: Apache-2.0 */
/* What attempts tell about an endpoint: peak and mean of its latency, and a penalty for failures.
 *
 * The peak is Finagle's Peak-EWMA (twitter/finagle, PeakEwma.scala). The latency of a failure enters neither latency: a fast
 * failure would make the endpoint look good, a slow one would starve it for long after it is well. The penalty is a term of its own that
 * fades quickly, and that a success halves. Two loops that tell about one endpoint at once may lose one of the two. */
#include "balance/figure.h"

#include <math.h>

#define PEAK_FADES_MS    10000.0F
#define MEAN_FADES_MS    2000.0F
#define PENALTY_FADES_MS 2000.0F
/* A mean that nobody adds to counts half after so long, then a quarter, ... Nobody may be shunned for ever for what was once
 * measured: a client whose requests are not idempotent tries nobody out. */
#define MEAN_HALVED_MS 30000.0F
/* Each answer moves the mean by so much at least, or a burst within a millisecond would not. */
#define MEAN_LEAST_STEP 0.05F
/* What a failure counts for when nothing is known of the endpoint, and what it never exceeds. */
#define PENALTY_BASE_US 50e3F
#define PENALTY_MOST_US 5e6F
/* Below this nothing is left of a penalty. */
#define PENALTY_LEAST_US 1.0F

static float age_ms(uint32_t at_ms, uint64_t now_us)
{
    return (float) figure_age_ms(at_ms, now_us);
}

static float faded(struct figure figure, float fades_ms, uint64_t now_us)
{
    float age = figure.value > 0 ? age_ms(figure.at_ms, now_us) : 0;

    return age > 0 ? figure.value * expf(-age / fades_ms) : figure.value;
}

float balance_peak_us(const struct balance_endpoint *endpoint, uint64_t now_us)
{
    return faded(figure_load(&endpoint->peak), PEAK_FADES_MS, now_us);
}

float balance_mean_us(const struct balance_endpoint *endpoint, uint64_t now_us)
{
    struct figure mean = figure_load(&endpoint->mean);
    float age = age_ms(mean.at_ms, now_us);

    return age < MEAN_HALVED_MS ? mean.value : ldexpf(mean.value, -(int) (age / MEAN_HALVED_MS));
}

float balance_penalty_us(const struct balance_endpoint *endpoint, uint64_t now_us)
{
    return faded(figure_load(&endpoint->penalty), PENALTY_FADES_MS, now_us);
}

uint64_t balance_idle_ms(const struct balance_endpoint *endpoint, uint64_t now_us)
{
    return (uint64_t) age_ms(atomic_load_explicit(&endpoint->picked_ms, memory_order_relaxed), now_us);
}

void balance_began(struct balance_endpoint *endpoint, uint64_t now_us)
{
    atomic_fetch_add_explicit(&endpoint->active, 1, memory_order_relaxed);
    atomic_store_explicit(&endpoint->picked_ms, (uint32_t) (now_us / US_PER_MS), memory_order_relaxed);
}

void balance_ended(struct balance_endpoint *endpoint)
{
    atomic_fetch_sub_explicit(&endpoint->active, 1, memory_order_relaxed);
}

bool balance_is_known(const struct balance_endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->answers, memory_order_relaxed) >= BALANCE_INTRODUCTION;
}

/* First answers are slow by connections that were just opened and by cold caches: the least of them is what the endpoint begins
 * with, or it would be shunned for them. */
static void introduce(struct balance_endpoint *endpoint, float us, uint64_t now_us)
{
    float mean = figure_load(&endpoint->mean).value;
    float least = mean > 0 && mean < us ? mean : us;

    atomic_fetch_add_explicit(&endpoint->answers, 1, memory_order_relaxed);
    figure_store(&endpoint->peak, least, now_us);
    figure_store(&endpoint->mean, least, now_us);
}

static void measure(struct balance_endpoint *endpoint, float us, uint64_t now_us)
{
    struct figure peak = figure_load(&endpoint->peak), mean = figure_load(&endpoint->mean);
    float keep = expf(-age_ms(peak.at_ms, now_us) / PEAK_FADES_MS);
    float step = 1 - expf(-age_ms(mean.at_ms, now_us) / MEAN_FADES_MS);
    float down = us + keep * (peak.value - us);

    if (step < MEAN_LEAST_STEP)
        step = MEAN_LEAST_STEP;
    figure_store(&endpoint->peak, us > down ? us : down, now_us);
    figure_store(&endpoint->mean, mean.value + step * (us - mean.value), now_us);
}

void balance_answered(struct balance_endpoint *endpoint, uint64_t latency_us, uint64_t now_us)
{
    float penalty = balance_penalty_us(endpoint, now_us) / 2;

    if (latency_us > 0 && balance_is_known(endpoint))
        measure(endpoint, (float) latency_us, now_us);
    else if (latency_us > 0)
        introduce(endpoint, (float) latency_us, now_us);
    if (atomic_load_explicit(&endpoint->failures, memory_order_relaxed) > 0)
        atomic_store_explicit(&endpoint->failures, 0, memory_order_relaxed);
    if (penalty > 0)
        figure_store(&endpoint->penalty, penalty > PENALTY_LEAST_US ? penalty : 0, now_us);
}

void balance_outrun(struct balance_endpoint *endpoint, uint64_t elapsed_us, uint64_t now_us)
{
    if (balance_is_known(endpoint) && (float) elapsed_us > balance_peak_us(endpoint, now_us))
        figure_store(&endpoint->peak, (float) elapsed_us, now_us);
}

/* One failure alone may be chance: it costs about what the next answer takes. From the second on the endpoint is out of use,
 * each time for longer. */
static float penalty_for(uint32_t in_a_row, float mean)
{
    float base = 8 * mean > PENALTY_BASE_US ? 8 * mean : PENALTY_BASE_US;
    float penalty = in_a_row == 1 ? base / 4 : ldexpf(base, in_a_row < 10 ? (int) in_a_row - 1 : 10);

    return penalty < PENALTY_MOST_US ? penalty : PENALTY_MOST_US;
}

void balance_failed(struct balance_endpoint *endpoint, uint64_t now_us)
{
    uint32_t in_a_row = atomic_fetch_add_explicit(&endpoint->failures, 1, memory_order_relaxed) + 1;
    float was = balance_penalty_us(endpoint, now_us);
    float penalty = penalty_for(in_a_row, balance_mean_us(endpoint, now_us));

    figure_store(&endpoint->penalty, penalty > was ? penalty : was, now_us);
}

void balance_late(struct balance_endpoint *endpoint, uint64_t waited_us, uint64_t now_us)
{
    float was = balance_penalty_us(endpoint, now_us), waited = (float) waited_us;

    if (waited > PENALTY_MOST_US)
        waited = PENALTY_MOST_US;
    if (waited > was)
        figure_store(&endpoint->penalty, waited, now_us);
}
