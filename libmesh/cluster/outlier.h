/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one endpoint gets attempts, as its answers tell: one state machine an endpoint. Pure: time and dice are arguments.
 *
 *   WELL ──(failures)──→ ISOLATED ──(time)──→ DUE ──(an attempt)──→ PROBED ──(answer)──→ RECOVERING ──(time)──→ WELL
 *                           ↑                                          │
 *                           └──────────────(failure)───────────────────┘
 *
 * RECOVERING gets a growing share (slow start). Who may be isolated at all, and how many at once, is the cluster's decision
 * (outlier_may_isolate()). */
#ifndef CLUSTER_OUTLIER_H
#define CLUSTER_OUTLIER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "model/model.h"

enum outlier_state { OUTLIER_WELL, OUTLIER_ISOLATED, OUTLIER_DUE, OUTLIER_PROBED, OUTLIER_RECOVERING };

enum { OUTLIER_SECONDS = 10 };

struct outlier {
    enum outlier_state state;
    bool follows;         /* isolated because another loop says so */
    bool by_rate;         /* isolated for its rate, not for failures in a row */
    uint32_t in_row;      /* failures since the last answer */
    uint32_t late_in_row; /* late ones since the last answer */
    uint64_t late_us;     /* when the first of them was */
    uint32_t times;       /* isolated in a row: how often the time has doubled */
    uint64_t since_us;    /* when the state began */
    uint64_t until_us;    /* when it ends by itself: ISOLATED, RECOVERING */
    uint64_t isolated_us; /* how long the last isolation lasted, from its first failure */
    uint64_t second;      /* the newest of the ring */
    uint32_t answered[OUTLIER_SECONDS], failed[OUTLIER_SECONDS];
};

/* An attempt has ended. True: the endpoint has earned isolation; the cluster decides, and calls outlier_isolate(). Answers move
 * PROBED to RECOVERING by themselves. */
bool outlier_answered(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us);
bool outlier_failed(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us);
/* The same for an answer that did not come in time. Who is slow is not dead, and sending its part to others would make them slow:
 * it earns isolation only when nothing has come from it for three seconds. */
bool outlier_late(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us);
/* Out of the way, for half to the whole of base * 2^times. */
void outlier_isolate(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us, struct rand *dice);
/* For so long, as somebody else has decided. */
void outlier_isolate_for(struct outlier *outlier, uint64_t wait_us, uint64_t now_us);
/* In again with a growing share, as after a probe. */
void outlier_rejoin(struct outlier *outlier, const struct policy_outlier *conf, uint64_t now_us);
/* Back in at once: isolating it did not help. */
void outlier_release(struct outlier *outlier, uint64_t now_us);
/* Failures of this second and the one before. */
uint32_t outlier_failed_lately(const struct outlier *outlier, uint64_t now_us);
/* New in a cluster that is in use: its share grows for slow_us. */
void outlier_join(struct outlier *outlier, uint64_t slow_us, uint64_t now_us);
/* What time alone changes. True: the state is another now. */
bool outlier_tick(struct outlier *outlier, uint64_t now_us);
/* The one attempt of DUE begins; or ended without telling anything. */
void outlier_probe(struct outlier *outlier, uint64_t now_us);
void outlier_probe_untold(struct outlier *outlier, uint64_t now_us);

/* May get attempts like others do. */
bool outlier_is_in(const struct outlier *outlier);
/* Its share of its weight, percent: 10 to 100 while RECOVERING. */
uint32_t outlier_share(const struct outlier *outlier, uint64_t now_us);

/* One more of n endpoints, `isolated` being so already: at most max_percent, rounded down, but one of two; never the last. */
bool outlier_may_isolate(uint32_t n, uint32_t isolated, uint32_t max_percent);

#endif
