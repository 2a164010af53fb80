/* SPDX-License-Identifier: Apache-2.0 */
/* When a name is looked up again. Pure: the dice are thrown by the caller. Private to source/. */
#ifndef SOURCE_DNS_SCHEDULE_H
#define SOURCE_DNS_SCHEDULE_H

#include <stdint.h>

/* After a good answer: between 0.8 and 1.0 of the TTL, so that the next one is there before this one ends, within the limits.
 * The least is stretched by up to a fifth instead, so that a fleet of processes does not ask in step. */
uint64_t dns_refresh_delay_us(uint32_t ttl_s, uint64_t min_ms, uint64_t max_ms, uint64_t dice);
/* After the nth failure in a row (1 and up): 1 s doubling to 30 s, give or take a tenth. */
uint64_t dns_retry_delay_us(unsigned nth, uint64_t dice);

#endif
