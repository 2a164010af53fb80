/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters: from the bytes of a control plane to a cluster of the model, and where its endpoints come from. Pure, but for files of
 * certificates. Private to source/xds/. */
#ifndef SOURCE_XDS_CLUSTER_H
#define SOURCE_XDS_CLUSTER_H

#include "model/model.h"
#include "source/service.h"
#include "source/xds/bootstrap.h"
#include "source/xds/reading.h"

/* In front of a control plane's names of clusters in a snapshot, so that they are never those of configured services. */
#define XDS_CLUSTER_PREFIX "xds:"

enum xds_cluster_kind {
    XDS_CLUSTER_EDS,
    XDS_CLUSTER_STATIC,
    XDS_CLUSTER_DNS,       /* STRICT_DNS, LOGICAL_DNS */
    XDS_CLUSTER_AGGREGATE, /* one after the other as priorities, whatever its lb_policy */
};

/* Immutable, reference-counted; inside the source's loop only. */
struct xds_cluster {
    uint32_t refs;
    char *name; /* the control plane's */
    enum xds_cluster_kind kind;
    struct model_cluster *conf;        /* a reference; named XDS_CLUSTER_PREFIX + name, `label` is the name */
    char *eds_name;                    /* what EDS is asked for */
    uint64_t eds_wait_us;              /* initial_fetch_timeout; 0: for ever */
    struct model_endpoints *endpoints; /* STATIC: a reference */
    struct service_target *targets;    /* DNS: hosts, with their priority and zone */
    size_t n_targets;
    bool is_logical; /* all addresses of the name are one endpoint */
    char **members;  /* AGGREGATE: names of clusters */
    size_t n_members;
    bool reports_load; /* lrs_server: self */
};

struct xds_cluster_env {
    const struct conf *conf;           /* defaults of everything that the resource says nothing of */
    const char *service;               /* whose configuration overrides (balance.policy, ...); NULL: the defaults' */
    const struct bootstrap *bootstrap; /* certificate providers */
};

/* MESH_ERR_INVALID: refused, the sentence has the field's path; MESH_ERR_PROTOCOL, _TOO_LARGE: not readable; _NOMEM. */
int32_t xds_cluster_read(const uint8_t *bytes, size_t len, const struct xds_cluster_env *env, struct xds_cluster **out,
                         struct ignored *ignored, struct fault *fault);
struct xds_cluster *xds_cluster_ref(struct xds_cluster *cluster);
void xds_cluster_unref(struct xds_cluster *cluster); /* NULL is fine */

#endif
