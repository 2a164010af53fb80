/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as their text form has them, in the bytes of the wire: `name: "users" type: EDS connect_timeout { seconds: 5 }`.
 *
 * An Any is `[envoy.full.Name] { ... }` of a type that libmesh has; a field that is not in the descriptor is `99: 5` or
 * `99: "bytes"`. */
#ifndef TESTS_SUPPORT_PROTO_TEXT_H
#define TESTS_SUPPORT_PROTO_TEXT_H

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"

/* Appends the message to `out`; ends the test where the text is wrong. */
void proto_text(const ProtobufCMessageDescriptor *type, const char *text, struct buf *out);

#endif
