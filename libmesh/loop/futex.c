/* SPDX-License-Identifier: Apache-2.0 */
/* Parking a thread on a word. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "loop/state.h"

/* A wait without a limit would be restarted by the kernel after a handler with SA_RESTART; one with a limit is not. */
#define LONGEST_US (3600 * US_PER_S)

void futex_wake_one(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool futex_wait_until(_Atomic uint32_t *word, uint32_t value, uint64_t until_us)
{
    uint64_t now = clock_now_us();
    uint64_t wait = until_us <= now ? 0 : until_us - now;
    struct timespec limit;

    if (wait == 0)
        return false;
    if (wait > LONGEST_US)
        wait = LONGEST_US;
    limit.tv_sec = (time_t) (wait / US_PER_S);
    limit.tv_nsec = (long) (wait % US_PER_S * 1000);
    return syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &limit, NULL, 0) < 0 && errno == EINTR;
}
