/* SPDX-License-Identifier: Apache-2.0 */
/* Any message as JSON for people, by its descriptor: names of fields and enums as in the .proto files, durations in seconds, what an Any
 * holds in its place. Keys and passwords are not shown. Pure. Private to source/xds/. */
#ifndef SOURCE_XDS_MESSAGE_JSON_H
#define SOURCE_XDS_MESSAGE_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "observe/observe.h"

/* Fields that are not there, or have the value of what is not there, are left out. Messages deeper than the writer can bear are "...". */
void message_json(struct json_writer *w, const ProtobufCMessage *message);

#endif
