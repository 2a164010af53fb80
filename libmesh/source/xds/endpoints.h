/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints: from the bytes of a ClusterLoadAssignment to a set of the model, piece by piece. Pure. Private to source/xds/.
 *
 * A million endpoints are 31 MB on the wire and would be 381 MB as messages: so one LbEndpoint is unpacked at a time, and reading can
 * stop after so many of them and go on in another turn of the loop. */
#ifndef SOURCE_XDS_ENDPOINTS_H
#define SOURCE_XDS_ENDPOINTS_H

#include "model/model.h"
#include "proto/endpoint.pb-c.h"
#include "source/xds/reading.h"

struct endpoints_reader;

/* `bytes` are borrowed until endpoints_reader_free(). NULL: out of memory. */
struct endpoints_reader *endpoints_reader_new(const uint8_t *bytes, size_t len, struct ignored *ignored);
/* Reads at most so many endpoints further. MESH_ERR_AGAIN: there are more; 0: all is read, *out is the set, READY and complete;
 * MESH_ERR_INVALID: refused, the sentence has the field's path; MESH_ERR_PROTOCOL, _TOO_LARGE: not readable; _NOMEM. */
int32_t endpoints_reader_step(struct endpoints_reader *reader, size_t most, struct model_endpoints **out,
                              struct fault *fault);
/* cluster_name: "" not known yet. Known as soon as something was read. */
const char *endpoints_reader_name(const struct endpoints_reader *reader);
void endpoints_reader_free(struct endpoints_reader *reader); /* NULL is fine */

/* The name alone, by a scan of the outermost fields. False: there is none. */
bool endpoints_peek_name(const uint8_t *bytes, size_t len, const char **name, size_t *name_len);
/* A load_assignment inside a cluster of type STATIC. `reading` stands at it. */
int32_t endpoints_of_message(struct reading *reading, const Endpoint__ClusterLoadAssignment *message,
                             struct model_endpoints **out);

#endif
