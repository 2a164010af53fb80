/* SPDX-License-Identifier: Apache-2.0 */
/* What one client's log is made of, for the files of this folder only. */
#ifndef OBSERVE_STATE_H
#define OBSERVE_STATE_H

#include <pthread.h>

#include "observe/limit.h"
#include "observe/observe.h"
#include "observe/sink.h"

enum { SINK_LOG, SINK_ACCESS, SINKS };

enum writer_state {
    WRITER_NONE,      /* no thread: it was not needed yet, or there must be none */
    WRITER_IDLE,      /* waits for the first line */
    WRITER_GATHERING, /* waits a moment for more lines to write at once */
    WRITER_BUSY       /* owns the sinks' back halves, targets and marks */
};

struct observe {
    struct {
        int32_t level;
        enum observe_format format;
        char *service_name, *zone;
        mesh_log_fn hook;
        void *hook_user;
        bool threadless, wants_log, wants_access;
    } fixed;
    pthread_mutex_t lock;
    pthread_cond_t work; /* to the writer: lines, or the end */
    pthread_cond_t done; /* from the writer: it ends */
    struct {
        struct sink sinks[SINKS];
        struct limit limit;
        enum writer_state writer;
        pthread_t thread;
        bool no_thread; /* as configured, or none could be made: makers write */
        bool stopping;
        uint64_t stop_us;    /* with stopping: until when lines may still be written */
        uint64_t written_us; /* when lines were last written out */
        unsigned holders;    /* the client and the writer thread; the last one frees */
    } locked;
};

/* Gives up a hold. */
void observe_release(struct observe *observe);

/* Adds a line (newline included) to a sink and sees to it that somebody writes it out. */
void writer_put(struct observe *observe, struct sink *sink, const char *line, size_t len);
/* Writes what waits, at most 500 ms long, and ends the thread. One that hangs in a write is left behind; it frees what
 * it holds when it comes back. */
void writer_end(struct observe *observe);

/* Events about what the log itself lost. Collected under the lock, while the writer is not busy or by itself; written
 * without it. */
struct loss {
    const char *event, *sink;
    uint64_t lines;
    int cause;
};
enum { LOSSES = SINKS * 2 };
size_t loss_collect_locked(struct observe *observe, struct loss losses[LOSSES]);
void loss_write(struct observe *observe, const struct loss *losses, size_t n);
/* Whether lines were lost that can be told of soon. */
bool loss_untold_locked(const struct observe *observe);

#endif
