/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions to resume, one per server name. They stand for a verified certificate, so they are kept apart by identity (one
 * store in each net_tls) and by the name that was verified, and never outlive the certificate.
 *
 * Copies go in and out: OpenSSL writes into the session of a live connection, and connections of several loops run at once. */
#include "net/tls.h"

#include <string.h>
#include <time.h>

enum { SESSIONS_MOST = 256 };

struct remembered {
    struct list link;
    SSL_SESSION *session;
    char name[];
};

static bool take(struct tls_sessions *sessions)
{
    return !atomic_flag_test_and_set_explicit(&sessions->taken, memory_order_acquire);
}

static void give_back(struct tls_sessions *sessions)
{
    atomic_flag_clear_explicit(&sessions->taken, memory_order_release);
}

void tls_sessions_init(struct tls_sessions *sessions)
{
    atomic_flag_clear(&sessions->taken);
    sessions->by_name = (struct map){ 0 };
    list_init(&sessions->oldest_first);
}

static void drop(struct tls_sessions *sessions, struct remembered *entry)
{
    map_remove(&sessions->by_name, entry->name, strlen(entry->name));
    list_remove(&entry->link);
    SSL_SESSION_free(entry->session);
    mem_free(entry);
}

static void drop_oldest(struct tls_sessions *sessions)
{
    drop(sessions, CONTAINER_OF(sessions->oldest_first.next, struct remembered, link));
}

void tls_sessions_fini(struct tls_sessions *sessions)
{
    while (!list_empty(&sessions->oldest_first))
        drop_oldest(sessions);
    map_free(&sessions->by_name);
}

static struct remembered *entry_for(struct tls_sessions *sessions, const char *name)
{
    size_t name_size = strlen(name) + 1;
    struct remembered *entry = map_get_text(&sessions->by_name, name);

    if (entry)
        return entry;
    if (sessions->by_name.count >= SESSIONS_MOST)
        drop_oldest(sessions);
    entry = mem_zalloc(sizeof *entry + name_size);
    if (!entry)
        return NULL;
    memcpy(entry->name, name, name_size);
    if (map_put(&sessions->by_name, entry->name, name_size - 1, entry))
        return entry;
    mem_free(entry);
    return NULL;
}

/* Without memory the next handshake is a full one: no failure. */
void tls_sessions_remember(struct tls_sessions *sessions, const char *name, const SSL_SESSION *session)
{
    SSL_SESSION *copy;
    struct remembered *entry;

    if (!SSL_SESSION_is_resumable(session) || !take(sessions))
        return;
    copy = SSL_SESSION_dup(session);
    entry = copy ? entry_for(sessions, name) : NULL;
    if (entry) {
        SSL_SESSION_free(entry->session);
        entry->session = copy;
        copy = NULL;
        list_remove(&entry->link);
        list_push_back(&sessions->oldest_first, &entry->link);
    }
    give_back(sessions);
    SSL_SESSION_free(copy);
}

static bool certificate_has_expired(SSL_SESSION *session)
{
    X509 *certificate = SSL_SESSION_get0_peer(session);
    time_t now = (time_t) (clock_wall_us() / US_PER_S);

    return certificate && X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0;
}

SSL_SESSION *tls_sessions_recall(struct tls_sessions *sessions, const char *name)
{
    struct remembered *entry;
    SSL_SESSION *copy = NULL;

    if (!take(sessions))
        return NULL;
    entry = map_get_text(&sessions->by_name, name);
    if (entry && certificate_has_expired(entry->session))
        drop(sessions, entry);
    else if (entry)
        copy = SSL_SESSION_dup(entry->session);
    give_back(sessions);
    return copy;
}

void tls_sessions_forget(struct tls_sessions *sessions, const char *name)
{
    struct remembered *entry;

    if (!take(sessions))
        return;
    entry = map_get_text(&sessions->by_name, name);
    if (entry)
        drop(sessions, entry);
    give_back(sessions);
}
