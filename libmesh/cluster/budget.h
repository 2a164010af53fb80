/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster's budget for attempts beyond the first, and whether its attempts succeed lately. Pure: time is an argument.
 * Shared by all loops: relaxed atomics; a second's turn that two loops notice at once may miscount by a few. */
#ifndef CLUSTER_BUDGET_H
#define CLUSTER_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_SECONDS = 10, BUDGET_TENTHS = 10 };

struct budget_limits {
    uint32_t percent;    /* of the requests of the last ten seconds */
    uint32_t per_second; /* plus so many for each of them */
    uint32_t minimum;    /* at least so many in ten seconds */
};

struct budget {
    _Atomic uint64_t second;
    _Atomic uint32_t requests[BUDGET_SECONDS];
    _Atomic uint32_t spent[BUDGET_SECONDS];
    _Atomic uint64_t tenth;
    _Atomic uint32_t succeeded[BUDGET_TENTHS]; /* attempts, by tenths of a second */
    _Atomic uint32_t failed[BUDGET_TENTHS];
};

/* A request begins. */
void budget_deposit(struct budget *budget, uint64_t now_us);
/* An attempt beyond the first is about to be sent: false when the budget does not cover it. Nobody holds what it did not spend. */
bool budget_spend(struct budget *budget, const struct budget_limits *limits, uint64_t now_us);
/* What was spent in the last ten seconds, and of how much; for showing. */
uint64_t budget_look(struct budget *budget, const struct budget_limits *limits, uint64_t now_us, uint64_t *allowed);
/* An attempt has ended: whether the peer gave a usable answer. */
void budget_attempt_ended(struct budget *budget, bool succeeded, uint64_t now_us);
/* Attempts that ended in the last second. */
void budget_last_second(struct budget *budget, uint64_t now_us, uint64_t *succeeded, uint64_t *failed);
/* At least half of the attempts of the last second succeeded; true also when there were none. */
bool budget_mostly_succeeds(struct budget *budget, uint64_t now_us);

#endif
