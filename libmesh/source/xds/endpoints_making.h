/* SPDX-License-Identifier: Apache-2.0 */
/* A set of endpoints while it is made of a ClusterLoadAssignment, whichever way that is read. Private to source/xds/endpoints*.c.
 *
 * What gRPC refuses is refused (A27): a weight of 0, sums beyond 32 bits, a gap in the priorities, the same locality twice in a
 * priority, the same address twice. */
#ifndef SOURCE_XDS_ENDPOINTS_MAKING_H
#define SOURCE_XDS_ENDPOINTS_MAKING_H

#include "model/model.h"
#include "proto/endpoint.pb-c.h"
#include "source/xds/reading.h"
#include "source/xds/wire.h"

enum { ENDPOINTS_PRIORITIES = 129, ENDPOINTS_LOCALITIES_MOST = 4096 };

/* One LbEndpoint as it was read. Texts are borrowed. */
struct endpoint_read {
    struct addr addr, alternative;
    enum model_health health;
    uint32_t weight;
    bool unchecked;
    const char *hostname;
    size_t hostname_len;
    uint32_t metadata; /* index + 1 into making.metadata; 0: none */
};

/* Metadata that was read: many endpoints have the same. */
struct endpoint_metadata {
    const struct model_labels *labels;
    const char *hash_key;
};

/* The bytes that it was read from. */
struct metadata_bytes {
    const uint8_t *bytes;
    size_t len;
    uint32_t metadata; /* index */
};

struct endpoints_making {
    struct reading *reading;
    struct model_endpoints *set;
    struct lookup addresses; /* number of the endpoint * 2, + 1 for its second address */
    struct lookup places;    /* localities by name and priority */
    struct lookup labels;    /* metadata by their content */
    struct lookup metadata_bytes;
    struct endpoint_metadata *metadata;
    size_t n_metadata, metadata_cap;
    struct metadata_bytes *runs;
    size_t n_runs, runs_cap;
    struct model_locality place; /* that is being read */
    uint64_t weights;            /* its endpoints', so far */
    uint64_t priority_weights[ENDPOINTS_PRIORITIES];
    bool priority_is_there[ENDPOINTS_PRIORITIES];
    bool told_health_check, told_transport_socket, told_more_addresses; /* listed: once is enough */
};

/* Cheap to unpack, however it was made. */
extern const struct wire_limits endpoints_part_limits;

/* NULL set: out of memory. */
bool endpoints_making_begin(struct endpoints_making *making, struct reading *reading, const char *source);
void endpoints_making_free(struct endpoints_making *making);

/* For each locality: begin, add its endpoints, end with `place` filled. */
void endpoints_begin_locality(struct endpoints_making *making);
/* So many endpoints are to be expected: no step has to move the table that finds their addresses. */
int32_t endpoints_expect(struct endpoints_making *making, size_t n);
int32_t endpoints_add(struct endpoints_making *making, const struct endpoint_read *read);
int32_t endpoints_end_locality(struct endpoints_making *making);
/* After all of them. *out: the set. */
int32_t endpoints_making_end(struct endpoints_making *making, struct model_endpoints **out);

/* endpoints_message.c: from messages. */
int32_t endpoints_read_policy(struct endpoints_making *making, const Endpoint__ClusterLoadAssignment__Policy *policy);
int32_t endpoints_read_locality(struct endpoints_making *making, const Core__Locality *locality);
int32_t endpoints_read_endpoint(struct endpoints_making *making, const Endpoint__LbEndpoint *message,
                                struct endpoint_read *out);
enum model_health endpoints_health(uint64_t status);

/* endpoints_metadata.c. *index: of the metadata, + 1; 0: it says nothing that libmesh goes by. */
int32_t endpoints_read_metadata(struct endpoints_making *making, const Core__Metadata *message, uint32_t *index);
/* The same of its bytes, which live as long as `making`: unpacked when they are the first of their kind. */
int32_t endpoints_read_metadata_bytes(struct endpoints_making *making, const uint8_t *bytes, size_t len,
                                      uint32_t *index);

/* endpoints_fast.c. The usual LbEndpoint, read where it stands. False: it is not of the usual kind, so its message is unpacked,
 * and says what is wrong with it. */
bool endpoints_read_fast(struct endpoints_making *making, const uint8_t *bytes, size_t len, struct endpoint_read *out);

#endif
