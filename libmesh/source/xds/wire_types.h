/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages libmesh reads out of an Any. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_WIRE_TYPES_H
#define SOURCE_XDS_WIRE_TYPES_H

#include <protobuf-c/protobuf-c.h>

/* By what stands behind the last '/'; NULL: libmesh does not know it. */
const ProtobufCMessageDescriptor *wire_type_of_url(const char *type_url);

#endif
