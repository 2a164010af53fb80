/* SPDX-License-Identifier: Apache-2.0 */
/* The source's own state, shared by its files. Private to source/. */
#ifndef SOURCE_STATE_H
#define SOURCE_STATE_H

#include "source/dns_service.h"
#include "source/file_watch.h"
#include "source/service.h"
#include "source/source.h"
#include "source/tls_files.h"
#include "source/xds/xds.h"

/* More services that no configuration knows are refused: their names may come from strangers. */
enum { SOURCE_MOST_DYNAMIC = 10000 };

struct source_service {
    struct source *source;
    char *name;
    struct service conf;
    struct dns_service *dns; /* NULL: static endpoints */
    bool dynamic;            /* no configuration knows it */
    bool active;             /* somebody has wanted it lately */
    bool seen;               /* while a new configuration is taken over: it is in it */
    uint64_t wanted_us;
    struct list dirty; /* linked: its endpoints may have changed */
};

struct source {
    struct loop *loop;
    struct observe *observe;
    void (*on_snapshot)(void *user, struct model_snapshot *snapshot);
    void *user;
    struct conf *conf;
    struct dns_names *names;
    struct xds *xds;     /* NULL: no control plane is configured */
    struct map services; /* by name */
    size_t n_dynamic;
    struct list dirty;
    struct model_snapshot *snapshot;
    bool stale; /* the snapshot is not what the services are */
    struct loop_later publish;
    struct loop_timer sweep; /* puts to rest what nobody wants, and tries again what memory was short for */
    bool started;            /* somebody has wanted something: files and sockets may be open */
    struct file_look file;   /* how the configuration's file looked when it was read */
    struct file_watch *watch;
    struct list explains;
    struct list tls_files; /* tls_files.c */
    struct list tls_users; /* struct tls_files_user */
};

/* ---- source.c ---- */

/* The snapshot is made anew at the end of this turn. */
void source_touch(struct source *source);

/* ---- services.c: the table of services ---- */

/* Takes over `conf` (zeroed afterwards, also on failure). NULL: out of memory. */
struct source_service *services_add(struct source *source, const char *name, struct service *conf, bool dynamic);
/* The same service as a new configuration has it; `conf` is taken over, or what is left of it freed. What has not changed keeps
 * its identity. False: out of memory, it stays as it was. */
bool services_change(struct source_service *service, struct service *conf);
void services_remove(struct source_service *service);
void services_free(struct source *source);
void services_activate(struct source_service *service, bool active);
struct model_endpoints *services_endpoints(const struct source_service *service);
/* Works out the endpoints of those that may have changed. True: some have. */
bool services_update(struct source *source);

/* ---- reload.c: a changed configuration file ---- */

/* Fills the table from the first configuration. */
int32_t reload_first(struct source *source, struct fault *fault);
void reload_start(struct source *source);
/* The services of the configuration as it stands, once more: something that they are made of has changed. */
int32_t reload_services(struct source *source, struct fault *fault);
struct dns_names_conf reload_dns_conf(const struct conf *conf);

/* ---- explain.c ---- */

void explain_free_all(struct source *source);

#endif
