/* SPDX-License-Identifier: Apache-2.0 */
/* From what a service is called by to the listener that a control plane is asked for, and names of the form
 * xdstp://authority/type/id?key=value (gRFC A47, xRFC TP1). Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_NAMES_H
#define SOURCE_XDS_NAMES_H

#include <stdbool.h>

#include "source/xds/bootstrap.h"
#include "source/xds/types.h"

/* A service that is asked for as "xds:///name", "xds:name", "xds://authority/name" or "name". */
struct names_service {
    const struct bootstrap_authority
        *authority; /* who knows the listener; NULL: the bootstrap's own servers. Borrowed */
    char *listener; /* canonical */
    char *host; /* of requests that name none, and what virtual hosts are chosen by: the name from its last '/' on */
};

/* MESH_ERR_INVALID: no name; MESH_ERR_NO_ROUTE: an authority that the bootstrap does not have; MESH_ERR_NOMEM. */
int32_t names_of_service(const struct bootstrap *bootstrap, const char *text, struct names_service *out,
                         struct fault *fault);
void names_service_clear(struct names_service *service);

/* Whom a resource is asked from: *out NULL is the bootstrap's own servers, who know all names but those of xdstp. MESH_ERR_NO_ROUTE: an
 * authority that the bootstrap does not have; MESH_ERR_INVALID: the name is that of another type of resource. */
int32_t names_find_authority(const struct bootstrap *bootstrap, enum xds_type type, const char *name,
                             const struct bootstrap_authority **out, struct fault *fault);
/* In the order in which they are asked. `authority` may be NULL, as above. */
const struct bootstrap_servers *names_servers(const struct bootstrap *bootstrap,
                                              const struct bootstrap_authority *authority);

/* One spelling for names of xdstp that mean the same: parameters sorted by key, of equal keys the last, escapes as RFC 3986 section 6.2.2
 * has them, no fragment. Other names stay as they are. From mem_alloc(); NULL: out of memory. */
char *names_canonical(const char *name);

#endif
