/* SPDX-License-Identifier: Apache-2.0 */
/* SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
#include "base/rand.h"

#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

void rand_seed(struct rand *r)
{
    if (getrandom(&r->state, sizeof r->state, GRND_NONBLOCK) != (ssize_t) sizeof r->state)
        r->state = clock_wall_us() ^ ((uint64_t) getpid() << 40) ^ (uintptr_t) r;
}

void rand_seed_with(struct rand *r, uint64_t seed)
{
    r->state = seed;
}

uint64_t rand_u64(struct rand *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t rand_below(struct rand *r, uint64_t below)
{
    __extension__ typedef unsigned __int128 wide;

    return (uint64_t) (((wide) rand_u64(r) * below) >> 64);
}
