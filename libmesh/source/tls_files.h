/* SPDX-License-Identifier: Apache-2.0 */
/* The files of TLS identities: read once for all services that name the same ones, and again when they change. Private to source/.
 *
 * A cluster carries what was read (model_pem), so that every connection of it is made with the same certificate, whatever has become
 * of the files meanwhile. New content is taken only when all of it is good together: a certificate whose key has not been written yet
 * leaves everything as it was. Files that are no regular ones (pipes) are left to those who open them. */
#ifndef SOURCE_TLS_FILES_H
#define SOURCE_TLS_FILES_H

#include "base/base.h"
#include "model/model.h"

struct source;

/* Whoever attaches clusters that are no configured service's: those of a control plane. Both functions are called inside the source's
 * loop. */
struct tls_files_user {
    struct list link;
    /* What stands in some files is new: clusters are made again of their resources, and attached. */
    void (*on_change)(struct tls_files_user *user);
    /* tls_files_keep() for each cluster that is in use. */
    void (*keep)(struct tls_files_user *user);
};
void tls_files_join(struct source *source, struct tls_files_user *user);
void tls_files_leave(struct tls_files_user *user);
/* While sweeping. */
void tls_files_keep(struct source *source, const struct model_cluster *cluster);

/* Gives the cluster the content of its files, if it names any, and identifies it anew. Before it is published. */
void tls_files_attach(struct source *source, struct model_cluster *cluster);
/* From now on changes are noticed. */
void tls_files_watch(struct source *source);
/* Forgets what no service uses any more. */
void tls_files_sweep(struct source *source);
void tls_files_free(struct source *source);

#endif
