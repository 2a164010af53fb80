/* SPDX-License-Identifier: Apache-2.0 */
/** @file mesh/response.h
 *  What came back, or why nothing did.
 *
 *      const void *data; size_t len;
 *      mesh_response_body(response, &data, &len);
 *      const char *type = mesh_response_header(response, "content-type");
 *
 *  A response belongs to whom it was given and is not changed afterwards: several threads may read it. What getters
 *  return is borrowed until mesh_response_free(). Getters accept NULL and answer as for an empty response.
 */
#ifndef MESH_RESPONSE_H
#define MESH_RESPONSE_H

#include <stddef.h>
#include <stdint.h>
#include <mesh/export.h>

MESH_BEGIN_DECLS

struct mesh_response;

/**
 * The HTTP status.
 *
 * @return 200 to 999; 0 when no HTTP answer came.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_response_status(const struct mesh_response *response);

/**
 * The body, whole.
 *
 * @param data  first byte, borrowed from the response; NULL when empty. Not NUL-terminated.
 * @param len   bytes.
 * @return 0; MESH_ERR_INVALID when data or len is NULL.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_response_body(const struct mesh_response *response, const void **data, size_t *len);

/**
 * One header's value; the first one when the name came several times.
 *
 * @param name  compared without case; borrowed.
 * @return a string borrowed from the response, or NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_header(const struct mesh_response *response, const char *name);

/**
 * One trailer's value, as mesh_response_header() does it.
 *
 * @param name  compared without case; borrowed.
 * @return a string borrowed from the response, or NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_trailer(const struct mesh_response *response, const char *name);

/**
 * The headers in the order they came, to walk over.
 *
 * @param index  0 to count - 1.
 * @param name, value  borrowed from the response; NULL beyond the end. Either pointer may be NULL.
 * @return how many headers there are.
 * Threads: any. Since 0.1.
 */
MESH_API size_t mesh_response_header_at(const struct mesh_response *response, size_t index, const char **name,
                                        const char **value);

/**
 * The trailers in the order they came; as mesh_response_header_at().
 *
 * @param index  0 to count - 1.
 * @param name, value  borrowed from the response; NULL beyond the end. Either pointer may be NULL.
 * @return how many trailers there are.
 * Threads: any. Since 0.1.
 */
MESH_API size_t mesh_response_trailer_at(const struct mesh_response *response, size_t index, const char **name,
                                         const char **value);

/**
 * The code with which the request ended: what mesh_request() returned.
 *
 * @return 0 or a number of enum mesh_err.
 * Threads: any. Since 0.1.
 */
MESH_API int32_t mesh_response_error(const struct mesh_response *response);

/**
 * One sentence on how it ended: service, endpoint, attempt, cause. Empty when all went well at once.
 *
 * @return a string borrowed from the response; never NULL.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_detail(const struct mesh_response *response);

/**
 * How many attempts were made; 0 when none got as far as an endpoint.
 *
 * Threads: any. Since 0.1.
 */
MESH_API uint32_t mesh_response_attempts(const struct mesh_response *response);

/**
 * The endpoint of the attempt that answered, or of the last one, for example "10.0.0.7:8080".
 *
 * @return a string borrowed from the response; "" when there was none.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_endpoint(const struct mesh_response *response);

/**
 * That endpoint's zone.
 *
 * @return a string borrowed from the response; "" when it has none.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_zone(const struct mesh_response *response);

/**
 * How long the request took, from the call to the end of the answer.
 *
 * @return microseconds.
 * Threads: any. Since 0.1.
 */
MESH_API uint64_t mesh_response_duration_us(const struct mesh_response *response);

/**
 * Why the request went as it did, as one JSON object: for each attempt the zone and why that one, the candidates with
 * their scores, the endpoint, the outcome, and whether it was retried and which rule or budget decided.
 * docs/explain.md tells the fields. Also of a request that failed.
 *
 * @return a string borrowed from the response; NULL unless the request had MESH_REQ_EXPLAIN. Of a stream it is there
 *         when the stream has ended.
 * Threads: any. Since 0.1.
 */
MESH_API const char *mesh_response_explanation(const struct mesh_response *response);

/**
 * Free a response and all that was borrowed from it.
 *
 * @param response  consumed; NULL is fine.
 * Threads: any, one at a time. Since 0.1.
 */
MESH_API void mesh_response_free(struct mesh_response *response);

MESH_END_DECLS

#endif
