/* SPDX-License-Identifier: Apache-2.0 */
/* The one clock: monotonic microseconds for everything that waits, the wall clock for log lines only. Tests replace the
 * first. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS UINT64_C(1000)
#define US_PER_S  UINT64_C(1000000)

/* Never goes back; the beginning is arbitrary. */
uint64_t clock_now_us(void);
/* Microseconds since 1970. */
uint64_t clock_wall_us(void);

/* A time of the wall clock by RFC 3339, in UTC: "2026-11-25T20:17:51.123Z". Years up to 9999. */
enum { CLOCK_TEXT = 25 };
void clock_text(uint64_t wall_us, char out[CLOCK_TEXT]);

/* For tests: where clock_now_us() reads from; NULL: the system. Not while another thread reads the clock. */
void clock_replace(uint64_t (*now_us)(void));

#endif
