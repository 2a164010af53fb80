/* SPDX-License-Identifier: Apache-2.0 */
/* The files of TLS identities: reading, watching, and taking over what is good. */
#include "source/tls_files.h"

#include <string.h>
#include <sys/stat.h>

#include "net/net.h"
#include "source/file_read.h"
#include "source/state.h"

enum { FILES = 3, LARGEST = 16 << 20 };

static const char *const roles[FILES] = { "tls.ca", "tls.cert", "tls.key" };

struct tls_files {
    struct source *source;
    struct list link;
    char *paths[FILES]; /* NULL: none */
    struct file_look seen[FILES];
    struct file_watch *watches[FILES];
    struct model_pem *pem; /* NULL: not read */
    uint64_t refused;      /* hash of the sentence that was told last; 0: none */
    bool used;             /* while sweeping */
};

/* ---- reading ---- */

static char **text_of(struct model_pem *pem, size_t i)
{
    char **texts[FILES] = { &pem->ca, &pem->cert, &pem->key };

    return texts[i];
}

static void clear(struct buf *text)
{
    if (buf_len(text) > 0)
        explicit_bzero((void *) (uintptr_t) buf_bytes(text), buf_len(text));
    buf_free(text);
}

static int32_t read_text(const char *role, const char *path, char **out, struct fault *fault)
{
    struct buf text = { 0 };
    struct stat info;
    int32_t err;

    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return fault_set(fault, MESH_ERR_INVALID, "%s %s: is no regular file", role, path);
    err = file_read(role, path, LARGEST, &text, fault);
    if (!err && buf_len(&text) == 1)
        err = fault_set(fault, MESH_ERR_TLS, "%s %s: the file is empty", role, path);
    if (!err)
        *out = mem_strdup((const char *) buf_bytes(&text));
    if (!err && !*out)
        err = fault_set(fault, MESH_ERR_NOMEM, "out of memory for %s %s", role, path);
    clear(&text);
    return err;
}

/* NULL: `fault` says why. */
static struct model_pem *read_all(const struct tls_files *files, struct fault *fault)
{
    struct model_pem *pem = mem_zalloc(sizeof *pem);
    int32_t err = 0;

    if (!pem) {
        fault_set(fault, MESH_ERR_NOMEM, "out of memory for the files of a TLS identity");
        return NULL;
    }
    pem->refs = 1;
    for (size_t i = 0; i < FILES && !err; i++)
        if (files->paths[i])
            err = read_text(roles[i], files->paths[i], text_of(pem, i), fault);
    if (!err)
        return pem;
    model_pem_unref(pem);
    return NULL;
}

/* Whether connections can be made with it. */
static int32_t check(const struct tls_files *files, const struct model_pem *pem, struct fault *fault)
{
    const struct net_tls_conf conf = {
        .ca = files->paths[0],
        .cert = files->paths[1],
        .key = files->paths[2],
        .ca_pem = pem->ca,
        .cert_pem = pem->cert,
        .key_pem = pem->key,
    };
    struct net_tls *tls;
    int32_t err = net_tls_new(&conf, &tls, fault);

    net_tls_unref(tls);
    return err;
}

/* ---- changes ---- */

static const char *path_text(const struct tls_files *files, size_t i)
{
    return files->paths[i] ? files->paths[i] : "";
}

static void refuse(struct tls_files *files, const struct fault *fault)
{
    uint64_t hash = hash_bytes(fault->text, strlen(fault->text));

    if (files->refused == hash)
        return; /* of a change of several files each tells */
    files->refused = hash;
    OBSERVE(files->source->observe, MESH_LOG_ERROR, "tls_files_rejected", FIELD_TEXT("ca", path_text(files, 0)),
            FIELD_TEXT("cert", path_text(files, 1)), FIELD_TEXT("key", path_text(files, 2)),
            FIELD_TEXT("detail", fault->text));
}

static void tell_users(struct source *source)
{
    LIST_EACH_SAFE(link, next, &source->tls_users) {
        struct tls_files_user *user = CONTAINER_OF(link, struct tls_files_user, link);

        user->on_change(user);
    }
}

static void take(struct tls_files *files, struct model_pem *pem)
{
    struct source *source = files->source;
    struct fault fault = { 0 };

    model_pem_unref(files->pem);
    files->pem = pem;
    OBSERVE(source->observe, MESH_LOG_INFO, "tls_files_loaded", FIELD_TEXT("ca", path_text(files, 0)),
            FIELD_TEXT("cert", path_text(files, 1)), FIELD_TEXT("key", path_text(files, 2)));
    if (reload_services(source, &fault))
        refuse(files, &fault);
    tell_users(source);
}

static void on_change(void *user)
{
    struct tls_files *files = user;
    struct fault fault = { 0 };
    struct model_pem *pem = read_all(files, &fault);
    bool same = pem && model_pem_equal(pem, files->pem);

    if (!pem || (!same && check(files, pem, &fault) != 0)) {
        refuse(files, &fault);
        model_pem_unref(pem);
        return;
    }
    files->refused = 0;
    if (same)
        model_pem_unref(pem);
    else
        take(files, pem);
}

static void watch(struct tls_files *files)
{
    struct source *source = files->source;

    for (size_t i = 0; i < FILES; i++)
        if (files->paths[i] && !files->watches[i] &&
            file_watch_new(source->loop, files->paths[i], &files->seen[i], on_change, files, &files->watches[i]))
            OBSERVE(source->observe, MESH_LOG_WARN, "tls_files_not_watched", FIELD_TEXT("file", files->paths[i]),
                    FIELD_TEXT("detail", "out of memory"));
}

void tls_files_watch(struct source *source)
{
    LIST_EACH(link, &source->tls_files) {
        watch(CONTAINER_OF(link, struct tls_files, link));
    }
}

/* ---- the list ---- */

static void free_files(struct tls_files *files)
{
    list_remove(&files->link);
    for (size_t i = 0; i < FILES; i++) {
        file_watch_free(files->watches[i]);
        mem_free(files->paths[i]);
    }
    model_pem_unref(files->pem);
    mem_free(files);
}

static bool same_path(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct tls_files *find(struct source *source, const char *const paths[FILES])
{
    LIST_EACH(link, &source->tls_files) {
        struct tls_files *files = CONTAINER_OF(link, struct tls_files, link);

        if (same_path(files->paths[0], paths[0]) && same_path(files->paths[1], paths[1]) &&
            same_path(files->paths[2], paths[2]))
            return files;
    }
    return NULL;
}

/* How a file looked is noted before it is read: a change in between is seen later. */
static bool name_files(struct tls_files *files, const char *const paths[FILES])
{
    for (size_t i = 0; i < FILES; i++) {
        if (!paths[i])
            continue;
        files->paths[i] = mem_strdup(paths[i]);
        if (!files->paths[i])
            return false;
        files->seen[i] = file_look(paths[i]);
    }
    return true;
}

/* NULL: out of memory. What cannot be read now is for the first connection to complain about. */
static struct tls_files *add(struct source *source, const char *const paths[FILES])
{
    struct tls_files *files = mem_zalloc(sizeof *files);
    struct fault ignored;

    if (!files)
        return NULL;
    files->source = source;
    list_push_back(&source->tls_files, &files->link);
    if (!name_files(files, paths)) {
        free_files(files);
        return NULL;
    }
    files->pem = read_all(files, &ignored);
    return files;
}

static bool paths_of(const struct model_cluster *cluster, const char *paths[FILES])
{
    paths[0] = cluster->tls.ca;
    paths[1] = cluster->tls.cert;
    paths[2] = cluster->tls.key;
    return model_protocol_tls(cluster->protocol) && (paths[0] || paths[1] || paths[2]);
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? mem_strdup(from) : NULL;
    return !from || *to;
}

/* What came with the cluster itself stays, where no file is named instead. NULL: out of memory. */
static struct model_pem *join(const struct model_pem *own, const struct model_pem *files)
{
    struct model_pem *both = mem_zalloc(sizeof *both);

    if (!both)
        return NULL;
    both->refs = 1;
    if (copy_text(&both->ca, files->ca ? files->ca : own->ca) &&
        copy_text(&both->cert, files->cert ? files->cert : own->cert) &&
        copy_text(&both->key, files->key ? files->key : own->key))
        return both;
    model_pem_unref(both);
    return NULL;
}

void tls_files_attach(struct source *source, struct model_cluster *cluster)
{
    const char *paths[FILES];
    struct tls_files *files;
    struct model_pem *pem;

    if (!paths_of(cluster, paths))
        return;
    files = find(source, paths);
    if (!files)
        files = add(source, paths);
    if (!files)
        return;
    if (source->started)
        watch(files);
    pem = cluster->tls.pem && files->pem ? join(cluster->tls.pem, files->pem) : model_pem_ref(files->pem);
    if (!pem)
        return;
    model_pem_unref(cluster->tls.pem);
    cluster->tls.pem = pem;
    model_cluster_identify(cluster);
}

void tls_files_join(struct source *source, struct tls_files_user *user)
{
    list_push_back(&source->tls_users, &user->link);
}

void tls_files_leave(struct tls_files_user *user)
{
    list_remove(&user->link);
}

void tls_files_keep(struct source *source, const struct model_cluster *cluster)
{
    const char *paths[FILES];
    struct tls_files *files = paths_of(cluster, paths) ? find(source, paths) : NULL;

    if (files)
        files->used = true;
}

void tls_files_sweep(struct source *source)
{
    struct source_service *service;
    struct tls_files *files;
    size_t at = 0;

    LIST_EACH(link, &source->tls_files) {
        CONTAINER_OF(link, struct tls_files, link)->used = false;
    }
    while ((service = map_next(&source->services, &at)))
        tls_files_keep(source, service->conf.cluster);
    LIST_EACH(link, &source->tls_users) {
        struct tls_files_user *user = CONTAINER_OF(link, struct tls_files_user, link);

        user->keep(user);
    }
    LIST_EACH_SAFE(link, next, &source->tls_files) {
        files = CONTAINER_OF(link, struct tls_files, link);
        if (!files->used)
            free_files(files);
    }
}

void tls_files_free(struct source *source)
{
    LIST_EACH_SAFE(link, next, &source->tls_files) {
        free_files(CONTAINER_OF(link, struct tls_files, link));
    }
}
