/* SPDX-License-Identifier: Apache-2.0 */
/* Clusters' certificates that lie in files: when a file changes, the clusters that name it are read again, so that new connections have
 * the new identity. In slices: of a large mesh every cluster has the same files. Private to source/xds/. */
#ifndef SOURCE_XDS_IDENTITIES_H
#define SOURCE_XDS_IDENTITIES_H

#include "source/tls_files.h"
#include "source/xds/store.h"

struct identities {
    struct tls_files_user user;
    struct source *source; /* whose files they are; NULL: nobody's, they are read when a connection is made */
    struct store *store;
    struct loop *loop;
    struct loop_timer slice;
};

void identities_begin(struct identities *identities, struct source *source, struct store *store, struct loop *loop);
void identities_end(struct identities *identities);
/* A cluster has been read: before anybody sees it. */
void identities_attach(const struct identities *identities, struct model_cluster *cluster);

#endif
