/* SPDX-License-Identifier: Apache-2.0 */
/* The system's clocks behind the seam that tests replace. */
#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t) t.tv_sec * US_PER_S + (uint64_t) t.tv_nsec / 1000;
}

static uint64_t system_now_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static uint64_t (*source)(void) = system_now_us;

uint64_t clock_now_us(void)
{
    return source();
}

uint64_t clock_wall_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

void clock_replace(uint64_t (*now_us)(void))
{
    source = now_us ? now_us : system_now_us;
}

static char *put_digits(char *at, uint64_t number, int digits)
{
    for (int i = digits; i-- > 0; number /= 10)
        at[i] = (char) ('0' + number % 10);
    return at + digits;
}

/* Years count from March here, so that the leap day is the last one (H. Hinnant, "chrono-compatible date algorithms").
 * gmtime_r() takes a lock of libc, which a forked child may find held for ever. */
static char *put_date(char *at, uint64_t days)
{
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted_month = (5 * day_of_year + 2) / 153;
    uint64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;

    at = put_digits(at, year_of_era + era * 400 + (month <= 2), 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    return put_digits(at, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
}

void clock_text(uint64_t wall_us, char out[CLOCK_TEXT])
{
    uint64_t seconds = wall_us / US_PER_S;
    char *at = put_date(out, seconds / 86400);

    *at++ = 'T';
    at = put_digits(at, seconds / 3600 % 24, 2);
    *at++ = ':';
    at = put_digits(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_digits(at, seconds % 60, 2);
    *at++ = '.';
    at = put_digits(at, wall_us / US_PER_MS % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
}
