/* SPDX-License-Identifier: Apache-2.0 */
/* The value of grpc-timeout: at most eight digits and a unit. Pure. */
#ifndef GRPC_TIMEOUT_H
#define GRPC_TIMEOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Eight digits, a unit, NUL. */
enum { GRPC_TIMEOUT_TEXT = 10 };

/* False: it is none. Less than a microsecond is 0. */
bool grpc_timeout_read(const char *text, size_t len, uint64_t *us);
/* As exact as eight digits allow. Never a later time than it is given, except that 0 becomes a microsecond: there is no "0u"
 * that every peer takes. */
void grpc_timeout_write(uint64_t us, char out[GRPC_TIMEOUT_TEXT]);

#endif
