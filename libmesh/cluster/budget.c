/* SPDX-License-Identifier: Apache-2.0 */
/* The retry budget: a ring of seconds, and a ring of tenths for success. */
#include "cluster/budget.h"

#include "base/clock.h"

#define TENTH_US (100 * US_PER_MS)

static void clear(_Atomic uint32_t *ring, uint64_t from, uint64_t to, uint64_t n)
{
    if (to - from > n)
        from = to - n;
    while (from < to)
        atomic_store_explicit(&ring[++from % n], 0, memory_order_relaxed);
}

/* Brings both rings of one clock up to `now`; the one thread that moves the clock clears what it skips. */
static void advance(_Atomic uint64_t *clock, uint64_t now, _Atomic uint32_t *a, _Atomic uint32_t *b, uint64_t n)
{
    uint64_t was = atomic_load_explicit(clock, memory_order_relaxed);

    while (was < now) {
        if (!atomic_compare_exchange_weak(clock, &was, now))
            continue;
        clear(a, was, now, n);
        clear(b, was, now, n);
        return;
    }
}

static uint64_t sum(const _Atomic uint32_t *ring, uint64_t n)
{
    uint64_t total = 0;

    for (uint64_t i = 0; i < n; i++)
        total += atomic_load_explicit(&ring[i], memory_order_relaxed);
    return total;
}

static uint64_t this_second(struct budget *budget, uint64_t now_us)
{
    uint64_t second = now_us / US_PER_S;

    advance(&budget->second, second, budget->requests, budget->spent, BUDGET_SECONDS);
    return second % BUDGET_SECONDS;
}

static uint64_t this_tenth(struct budget *budget, uint64_t now_us)
{
    uint64_t tenth = now_us / TENTH_US;

    advance(&budget->tenth, tenth, budget->succeeded, budget->failed, BUDGET_TENTHS);
    return tenth % BUDGET_TENTHS;
}

void budget_deposit(struct budget *budget, uint64_t now_us)
{
    atomic_fetch_add_explicit(&budget->requests[this_second(budget, now_us)], 1, memory_order_relaxed);
}

static uint64_t allowed_by(const struct budget *budget, const struct budget_limits *limits)
{
    uint64_t allowed =
        sum(budget->requests, BUDGET_SECONDS) * limits->percent / 100 + (uint64_t) limits->per_second * BUDGET_SECONDS;

    return allowed < limits->minimum ? limits->minimum : allowed;
}

bool budget_spend(struct budget *budget, const struct budget_limits *limits, uint64_t now_us)
{
    uint64_t at = this_second(budget, now_us);

    if (sum(budget->spent, BUDGET_SECONDS) >= allowed_by(budget, limits))
        return false;
    atomic_fetch_add_explicit(&budget->spent[at], 1, memory_order_relaxed);
    return true;
}

uint64_t budget_look(struct budget *budget, const struct budget_limits *limits, uint64_t now_us, uint64_t *allowed)
{
    this_second(budget, now_us);
    *allowed = allowed_by(budget, limits);
    return sum(budget->spent, BUDGET_SECONDS);
}

void budget_attempt_ended(struct budget *budget, bool succeeded, uint64_t now_us)
{
    uint64_t at = this_tenth(budget, now_us);

    atomic_fetch_add_explicit(succeeded ? &budget->succeeded[at] : &budget->failed[at], 1, memory_order_relaxed);
}

void budget_last_second(struct budget *budget, uint64_t now_us, uint64_t *succeeded, uint64_t *failed)
{
    this_tenth(budget, now_us);
    *succeeded = sum(budget->succeeded, BUDGET_TENTHS);
    *failed = sum(budget->failed, BUDGET_TENTHS);
}

bool budget_mostly_succeeds(struct budget *budget, uint64_t now_us)
{
    uint64_t succeeded, failed;

    budget_last_second(budget, now_us, &succeeded, &failed);
    return succeeded >= failed;
}
