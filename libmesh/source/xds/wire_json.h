/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a message, as JSON for people and tools: names of fields as in the .proto files, well-known types as protobuf's own JSON
 * has them. Pure. Private to source/xds/.
 *
 * Written is what libmesh reads; fields beyond that are told by their numbers ("@unread"), messages of an unknown type in an Any by their
 * size ("@bytes"). Private keys that stand in a resource are not shown, wherever they are. */
#ifndef SOURCE_XDS_WIRE_JSON_H
#define SOURCE_XDS_WIRE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "observe/observe.h"

/* Deeper messages, and those in an Any in an Any ... beyond so many, are left out by a text that says so. */
enum { WIRE_JSON_DEPTH = 48, WIRE_JSON_ANYS = 8 };

/* One value. `most`: bytes of text at which the rest is left out, by a text that says so. What is no such message becomes an object with
 * the member "@error". */
void wire_json_write(struct json_writer *w, const char *type_url, const uint8_t *bytes, size_t len, size_t most);
/* The same of a message that was unpacked. */
void wire_json_write_message(struct json_writer *w, const ProtobufCMessage *message, size_t most);

#endif
