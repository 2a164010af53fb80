/* SPDX-License-Identifier: Apache-2.0 */
/* What a request is hashed by, for policies that send the same hash to the same endpoint. Pure. */
#ifndef REQUEST_HASH_H
#define REQUEST_HASH_H

#include "model/model.h"
#include "request/request.h"

/* False: the request has nothing to go by, and may go anywhere. */
bool hash_request(const struct policy_hash *policy, const struct request_ask *ask, uint64_t *out);

#endif
