/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that read a cluster's TLS share. Private to source/xds/cluster*.c. */
#ifndef SOURCE_XDS_CLUSTER_TLS_H
#define SOURCE_XDS_CLUSTER_TLS_H

#include "base/base.h"
#include "proto/tls.pb-c.h"
#include "source/xds/reading.h"

/* cluster_names.c. What the peer's certificate must name; *out NULL: nothing. Else for peer_names_unref(), also on failure. */
int32_t cluster_read_peer_names(struct reading *reading, const Tls__CertificateValidationContext *context,
                                struct peer_names **out);

#endif
