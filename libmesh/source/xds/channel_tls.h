/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS identity of a control plane: files are read when a connection is about to be made, if they have changed or are due to be read again.
 * Connections that exist go on as they are. Private to source/xds/. */
#ifndef SOURCE_XDS_CHANNEL_TLS_H
#define SOURCE_XDS_CHANNEL_TLS_H

#include "net/net.h"
#include "observe/observe.h"
#include "source/file_watch.h"
#include "source/xds/bootstrap.h"

/* Zeroed but for `files`. */
struct channel_tls {
    const struct bootstrap_files *files; /* borrowed */
    struct file_look seen[3];
    uint64_t read_us;
    struct net_tls *tls; /* NULL: nothing has been read yet */
};

/* For the next connection, borrowed. While what stands in the files cannot be used (half of a new pair has been written) what was read
 * before stays. NULL: `fault` says why there is none. */
struct net_tls *channel_tls_current(struct channel_tls *tls, uint64_t now_us, struct observe *observe,
                                    struct fault *fault);
void channel_tls_clear(struct channel_tls *tls);

#endif
