/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in the resources, for `mesh xds dump`: copied inside the loop, and written outside of it, since it may be large. Private to
 * source/xds/. */
#ifndef SOURCE_XDS_CONTENTS_H
#define SOURCE_XDS_CONTENTS_H

#include "source/xds/store.h"

struct xds_contents;

/* False: out of memory. *out: to be freed in any case. */
bool contents_copy(const struct store *store, struct xds_contents **out);
/* [any thread] An array of objects: by type, then by name. NULL: an empty one. Keys are not shown; very much is cut, and says so. */
void contents_write(const struct xds_contents *contents, struct json_writer *w);
void contents_free(struct xds_contents *contents); /* [any thread] NULL is fine */

#endif
