/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of bench/micro share. */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

#include <stdbool.h>

void need(bool good, const char *what);
/* Prints ", \"routes\": [...]": what finding a route costs. */
void measure_routes(void);
/* Prints ", \"assignments\": [...]": a million endpoints of a control plane are read. */
void measure_assignments(void);

#endif
