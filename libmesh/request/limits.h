/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets of a control plane's local rate limits: their levels, shared by the loops of a client. Any thread. */
#ifndef REQUEST_LIMITS_H
#define REQUEST_LIMITS_H

#include <pthread.h>

#include "base/base.h"
#include "model/model.h"

/* Buckets whose routes are gone are forgotten when there are so many, once they are full. */
enum { LIMITS_MOST = 1024 };

struct limits {
    pthread_mutex_t lock;
    struct map levels; /* of buckets that were used, by key */
};

void limits_init(struct limits *limits);
void limits_free(struct limits *limits);
/* Takes a token; false: the bucket is empty. Without memory for its level it is full. */
bool limits_take(struct limits *limits, const struct route_bucket *bucket, uint64_t now_us);

#endif
