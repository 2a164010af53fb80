/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers for balancing and jitter: fast, seedable, not for secrets. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stdint.h>

struct rand {
    uint64_t state;
};

/* From the kernel's random source; a different sequence for each process and loop. */
void rand_seed(struct rand *r);
/* The same seed gives the same sequence. */
void rand_seed_with(struct rand *r, uint64_t seed);
uint64_t rand_u64(struct rand *r);
/* 0 to below - 1; 0 when below is 0. */
uint64_t rand_below(struct rand *r, uint64_t below);

#endif
