/* SPDX-License-Identifier: Apache-2.0 */
/* A Cluster on its way from the message to xds_cluster, for the files that read a part of it each. Private to source/xds/cluster*.c.
 *
 * Texts of the policy point into the messages until the end, when model_cluster_own_texts() copies them: so everything that was
 * unpacked stays until then. */
#ifndef SOURCE_XDS_CLUSTER_READER_H
#define SOURCE_XDS_CLUSTER_READER_H

#include "proto/cluster.pb-c.h"
#include "proto/http_protocol_options.pb-c.h"
#include "source/xds/cluster.h"
#include "source/xds/scalars.h"

struct cluster_reader {
    struct reading reading;
    const struct xds_cluster_env *env;
    const Cluster__Cluster *message;
    const UpstreamHttp__HttpProtocolOptions *http; /* NULL: there is none */
    struct xds_cluster *out;
    struct model_cluster *conf; /* out->conf */
    struct policy *policy;      /* of it */
    ProtobufCMessage **opened;  /* what stood in an Any */
    size_t n_opened;
    struct buf metrics;      /* policy->load.metrics, while it is made */
    bool secure;             /* TLS */
    bool checks_sni;         /* the certificate must be for the name that was sent */
    bool names_endpoint;     /* auto_host_sni */
    bool has_system_roots;   /* system_root_certs */
    bool names_h2, names_h1; /* by its list for ALPN */
};

/* Unpacks what `any` holds, lists what is unknown in it. *out lives as long as the reader. */
int32_t cluster_open(struct cluster_reader *reader, const Pb__Any *any, const ProtobufCMessageDescriptor *type,
                     ProtobufCMessage **out);

/* One part each; what it says goes on top of what conf_cluster_base() has put there. */
int32_t cluster_read_balance(struct cluster_reader *reader);  /* cluster_balance.c */
int32_t cluster_read_subsets(struct cluster_reader *reader);  /* cluster_subsets.c */
int32_t cluster_read_limits(struct cluster_reader *reader);   /* cluster_limits.c */
int32_t cluster_read_outlier(struct cluster_reader *reader);  /* cluster_outlier.c */
int32_t cluster_read_health(struct cluster_reader *reader);   /* cluster_health.c */
int32_t cluster_read_tls(struct cluster_reader *reader);      /* cluster_tls.c */
int32_t cluster_read_protocol(struct cluster_reader *reader); /* cluster_protocol.c; after TLS */
int32_t cluster_read_kind(struct cluster_reader *reader);     /* cluster_kind.c; after the protocol */
int32_t cluster_judge_tls(struct cluster_reader *reader);     /* cluster_tls.c; after the kind */

#endif
