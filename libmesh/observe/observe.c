/* SPDX-License-Identifier: Apache-2.0 */
/* One client's log: made, freed, carried through a fork; and the two ways into it, events and access records. */
#include "observe/state.h"

#include "observe/access.h"
#include "observe/event.h"

static const char *const sink_names[SINKS] = { [SINK_LOG] = "log", [SINK_ACCESS] = "access_log" };

static int32_t copy_text(char **out, const char *text, struct fault *fault)
{
    *out = mem_strdup(text ? text : "");
    return *out ? 0 : fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

static bool leads_somewhere(const char *spec)
{
    return spec && *spec != '\0' && strcmp(spec, "off") != 0;
}

static int32_t open_sink(struct observe *observe, size_t which, const char *spec, struct fault *fault)
{
    struct sink *sink = &observe->locked.sinks[which];

    sink->name = sink_names[which];
    /* The hook takes everything: nothing is opened. */
    if (target_open(&sink->target, observe->fixed.hook ? "off" : spec, fault) != 0)
        return fault_prefix(fault, "%s: ", sink->name);
    return 0;
}

static int32_t set_up(struct observe *observe, const struct observe_conf *conf, struct fault *fault)
{
    int32_t err;

    observe->fixed.level = conf->level;
    observe->fixed.format = conf->format;
    observe->fixed.hook = conf->hook;
    observe->fixed.hook_user = conf->hook_user;
    observe->fixed.threadless = observe->locked.no_thread = conf->threadless;
    observe->fixed.wants_log = leads_somewhere(conf->log);
    observe->fixed.wants_access = leads_somewhere(conf->access_log);
    err = copy_text(&observe->fixed.service_name, conf->service_name, fault);
    if (err)
        return err;
    err = copy_text(&observe->fixed.zone, conf->zone, fault);
    if (err)
        return err;
    err = open_sink(observe, SINK_LOG, conf->log, fault);
    return err ? err : open_sink(observe, SINK_ACCESS, conf->access_log, fault);
}

static void init_locks(struct observe *observe)
{
    pthread_mutex_init(&observe->lock, NULL);
    pthread_cond_init(&observe->work, NULL);
    pthread_cond_init(&observe->done, NULL);
}

static void destroy(struct observe *observe)
{
    for (size_t i = 0; i < SINKS; i++)
        sink_close(&observe->locked.sinks[i]);
    pthread_mutex_destroy(&observe->lock);
    pthread_cond_destroy(&observe->work);
    pthread_cond_destroy(&observe->done);
    mem_free(observe->fixed.service_name);
    mem_free(observe->fixed.zone);
    mem_free(observe);
}

int32_t observe_new(const struct observe_conf *conf, struct observe **out, struct fault *fault)
{
    struct observe *observe = mem_zalloc(sizeof *observe);
    int32_t err;

    *out = NULL;
    if (!observe)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < SINKS; i++)
        observe->locked.sinks[i].target.fd = -1;
    observe->locked.holders = 1;
    init_locks(observe);
    err = set_up(observe, conf, fault);
    if (err) {
        destroy(observe);
        return err;
    }
    *out = observe;
    return 0;
}

void observe_release(struct observe *observe)
{
    unsigned left;

    pthread_mutex_lock(&observe->lock);
    left = --observe->locked.holders;
    pthread_mutex_unlock(&observe->lock);
    if (left == 0)
        destroy(observe);
}

void observe_free(struct observe *observe)
{
    if (!observe)
        return;
    writer_end(observe);
    observe_release(observe);
}

void observe_after_fork(struct observe *observe)
{
    if (!observe)
        return;
    init_locks(observe);
    for (size_t i = 0; i < SINKS; i++)
        sink_forget(&observe->locked.sinks[i]);
    observe->locked.writer = WRITER_NONE;
    observe->locked.no_thread = observe->fixed.threadless;
    observe->locked.stopping = false;
    observe->locked.holders = 1;
}

/* ---- lines ---- */

static void write_line(struct observe *observe, size_t which, int32_t level, const char *event, struct line *line)
{
    if (observe->fixed.hook) {
        line->text[line->len] = '\0';
        observe->fixed.hook(level, event, line->text, observe->fixed.hook_user);
        return;
    }
    line->text[line->len++] = '\n';
    writer_put(observe, &observe->locked.sinks[which], line->text, line->len);
}

bool observe_wants(const struct observe *observe, int32_t level)
{
    return observe && observe->fixed.wants_log && level >= observe->fixed.level;
}

/* Who asked for debugging wants every line. */
static bool allowed(struct observe *observe, int32_t level, const char *event, uint64_t *suppressed)
{
    bool allows;

    *suppressed = 0;
    if (level < MESH_LOG_INFO)
        return true;
    pthread_mutex_lock(&observe->lock);
    allows = limit_allows(&observe->locked.limit, event, clock_now_us(), suppressed);
    pthread_mutex_unlock(&observe->lock);
    return allows;
}

void observe_event(struct observe *observe, int32_t level, const char *event, const struct observe_field *fields,
                   size_t n_fields)
{
    struct event what = { .level = level, .name = event, .fields = fields, .n_fields = n_fields };
    struct line line;

    if (!observe_wants(observe, level) || !allowed(observe, level, event, &what.suppressed))
        return;
    line.len = 0;
    what.wall_us = clock_wall_us();
    what.service_name = observe->fixed.service_name;
    what.zone = observe->fixed.zone;
    if (observe->fixed.format == OBSERVE_JSON)
        event_format_json(&line, &what);
    else
        event_format_text(&line, &what);
    write_line(observe, SINK_LOG, level, event, &line);
}

bool observe_wants_access(const struct observe *observe)
{
    return observe && observe->fixed.wants_access;
}

void observe_access(struct observe *observe, const struct observe_access *record)
{
    struct line line;

    if (!observe_wants_access(observe))
        return;
    line.len = 0;
    access_format(&line, record);
    write_line(observe, SINK_ACCESS, MESH_LOG_INFO, "access", &line);
}

uint64_t observe_dropped(const struct observe *observe)
{
    uint64_t lines = 0;

    for (size_t i = 0; observe && i < SINKS; i++)
        lines += atomic_load_explicit(&observe->locked.sinks[i].dropped, memory_order_relaxed);
    return lines;
}
