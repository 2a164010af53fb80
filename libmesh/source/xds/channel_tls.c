/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the files of a control plane's TLS identity. */
#include "source/xds/channel_tls.h"

#include <string.h>

static const char *text_of(const char *path)
{
    return path ? path : "";
}

static void tell(const struct channel_tls *tls, struct observe *observe, int32_t level, const char *event,
                 const char *detail)
{
    OBSERVE(observe, level, event, FIELD_TEXT("ca", text_of(tls->files->ca)),
            FIELD_TEXT("cert", text_of(tls->files->cert)), FIELD_TEXT("key", text_of(tls->files->key)),
            FIELD_TEXT("detail", detail));
}

/* How the files look is noted before they are read: a change in between is seen next time. */
static bool have_changed(struct channel_tls *tls)
{
    const char *const paths[] = { tls->files->ca, tls->files->cert, tls->files->key };
    bool changed = false;

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct file_look look = { 0 };

        if (paths[i])
            look = file_look(paths[i]);
        changed |= !file_look_equal(&look, &tls->seen[i]);
        tls->seen[i] = look;
    }
    return changed;
}

struct net_tls *channel_tls_current(struct channel_tls *tls, uint64_t now_us, struct observe *observe,
                                    struct fault *fault)
{
    const struct net_tls_conf conf = { .ca = tls->files->ca, .cert = tls->files->cert, .key = tls->files->key };
    bool changed = have_changed(tls), due = now_us - tls->read_us >= tls->files->refresh_ms * US_PER_MS;
    struct net_tls *fresh;

    if (tls->tls && !changed && !due)
        return tls->tls;
    tls->read_us = now_us;
    if (net_tls_new(&conf, &fresh, fault)) {
        if (tls->tls && changed)
            tell(tls, observe, MESH_LOG_ERROR, "tls_files_rejected", fault->text);
        return tls->tls;
    }
    if (tls->tls && changed)
        tell(tls, observe, MESH_LOG_INFO, "tls_files_loaded", "");
    net_tls_unref(tls->tls);
    tls->tls = fresh;
    return fresh;
}

void channel_tls_clear(struct channel_tls *tls)
{
    net_tls_unref(tls->tls);
    tls->tls = NULL;
}
