/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of a control plane, made in a few lines: they live until xds_make_clear(). */
#ifndef TESTS_SUPPORT_XDS_MAKE_H
#define TESTS_SUPPORT_XDS_MAKE_H

#include <protobuf-c/protobuf-c.h>

#include "base/base.h"
#include "proto/core.pb-c.h"
#include "proto/http_connection_manager.pb-c.h"
#include "proto/listener.pb-c.h"
#include "proto/protobuf.pb-c.h"
#include "proto/route.pb-c.h"

/* A message of that type, empty: to be assigned to a pointer of it. */
void *xds_make(const ProtobufCMessageDescriptor *type);
/* An array of the pointers up to a NULL, for a repeated field, and how many there are. */
void *xds_make_list(size_t *n, ...) __attribute__((sentinel));
char *xds_make_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *xds_make_block(size_t size); /* zeroed */
/* A field that nobody knows, a varint. */
void xds_make_unknown(ProtobufCMessage *message, uint32_t number);
struct buf xds_make_bytes(const ProtobufCMessage *message);
Pb__Any *xds_make_any(const ProtobufCMessage *message);
void xds_make_clear(void);

Pb__UInt32Value *xds_make_u32(uint32_t value);
Pb__BoolValue *xds_make_bool(bool value);
Pb__Duration *xds_make_ms(uint64_t ms);
Core__HeaderValueOption *xds_make_header(const char *name, const char *value);
/* "envoy.lb": { key: value } */
Core__Metadata *xds_make_metadata(const char *key, const char *value);
Core__RuntimeFractionalPercent *xds_make_percent(uint32_t percent);

/* ---- routes ---- */

/* Requests to paths that begin with `prefix` go to the cluster. */
Route__Route *xds_make_route(const char *prefix, const char *cluster);
/* "all" of "*", without routes. */
Route__VirtualHost *xds_make_host(const char *domain);
/* "routes", with one virtual host that has one route, to the cluster. */
Route__RouteConfiguration *xds_make_routes(const char *cluster);

/* ---- listeners ---- */

Hcm__HttpFilter *xds_make_filter(const char *name, const ProtobufCMessage *config);
Hcm__HttpFilter *xds_make_router(void);
/* By RDS, with the router alone. */
Hcm__HttpConnectionManager *xds_make_manager(const char *routes);
Listener__Listener *xds_make_listener(const char *name, const Hcm__HttpConnectionManager *manager);

#endif
