/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoint that answered says of its own load (ORCA), told to the balancer that goes by it. */
#ifndef REQUEST_LOAD_H
#define REQUEST_LOAD_H

#include "request/request.h"

/* The attempt's answer is whole. Nothing happens where the policy does not go by reports. */
void load_hear(const struct request *request);

#endif
