/* SPDX-License-Identifier: Apache-2.0 */
/* What the scripted HTTP/2 server does with requests, and what it remembers of them. */
#include "support/h2_script.h"

/* ---- records ---- */

struct h2_record *h2_script_record(struct h2_server *server, const char *id)
{
    for (size_t i = 0; i < server->n_ids; i++)
        if (strcmp(server->ids[i].id, id) == 0)
            return &server->ids[i].record;
    need(server->n_ids < MOST_IDS, "too many x-id values");
    snprintf(server->ids[server->n_ids].id, ID_TEXT, "%s", id);
    return &server->ids[server->n_ids++].record;
}

/* Returns how many requests of this id had been seen before. */
static unsigned note_seen(struct stream *stream)
{
    struct h2_server *server = stream->conn->server;
    struct h2_record *record;
    unsigned before = 0;
    size_t used;

    pthread_mutex_lock(&server->lock);
    server->seen++;
    if (stream->request_id[0]) {
        record = h2_script_record(server, stream->request_id);
        before = record->seen++;
        used = strlen(record->attempts);
        snprintf(record->attempts + used, sizeof record->attempts - used, "%s%s", used ? "," : "",
                 stream->attempt[0] ? stream->attempt : "-");
        memcpy(record->head, stream->head, sizeof record->head);
    }
    pthread_mutex_unlock(&server->lock);
    return before;
}

static void note_executed(struct stream *stream)
{
    struct h2_server *server = stream->conn->server;

    stream->executed = true;
    if (!stream->request_id[0])
        return;
    pthread_mutex_lock(&server->lock);
    h2_script_record(server, stream->request_id)->executed++;
    pthread_mutex_unlock(&server->lock);
}

static void note_bytes(struct stream *stream, size_t len)
{
    struct h2_server *server = stream->conn->server;

    if (!stream->request_id[0])
        return;
    pthread_mutex_lock(&server->lock);
    h2_script_record(server, stream->request_id)->bytes += len;
    pthread_mutex_unlock(&server->lock);
}

static void note_cancelled(struct stream *stream)
{
    struct h2_server *server = stream->conn->server;

    if (!stream->request_id[0])
        return;
    pthread_mutex_lock(&server->lock);
    h2_script_record(server, stream->request_id)->cancelled++;
    pthread_mutex_unlock(&server->lock);
}

static void count_streams(struct h2_server *server, int by)
{
    pthread_mutex_lock(&server->lock);
    server->n_streams += (unsigned) by;
    pthread_mutex_unlock(&server->lock);
}

/* ---- answering ---- */

/* "h=name:value" of the path as two texts in `out`; false: there is none. */
static bool field_argument(const struct stream *stream, char key, char out[2][ID_TEXT])
{
    const char at[][3] = { { '?', key, '=' }, { '&', key, '=' } };

    for (size_t i = 0; i < 2; i++) {
        const char *found = memmem(stream->path, strlen(stream->path), at[i], sizeof at[i]);
        size_t name_len = found ? strcspn(found + 3, ":&") : 0;

        if (!found || found[3 + name_len] != ':')
            continue;
        snprintf(out[0], ID_TEXT, "%.*s", (int) name_len, found + 3);
        snprintf(out[1], ID_TEXT, "%.*s", (int) strcspn(found + 4 + name_len, "&"), found + 4 + name_len);
        return true;
    }
    return false;
}

static uint64_t argument(const struct stream *stream, const char *key)
{
    const char *at = strchr(stream->path, '?');
    size_t len = strlen(key);

    while (at) {
        at++;
        if (strncmp(at, key, len) == 0 && at[len] == '=')
            return strtoull(at + len + 1, NULL, 10);
        at = strchr(at, '&');
    }
    return 0;
}

static nghttp2_nv pair(const char *name, const char *value)
{
    return (nghttp2_nv){ (uint8_t *) (uintptr_t) name, (uint8_t *) (uintptr_t) value, strlen(name), strlen(value),
                         NGHTTP2_NV_FLAG_NONE };
}

static void submit_trailers(struct stream *stream)
{
    char bytes[24], sum[24];
    nghttp2_nv trailers[2];

    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long) (stream->generates ? stream->given : stream->received));
    snprintf(sum, sizeof sum, "%llu", (unsigned long long) stream->sum);
    trailers[0] = pair("x-bytes", bytes);
    trailers[1] = pair("x-sum", sum);
    nghttp2_submit_trailer(stream->conn->session, stream->id, trailers, 2);
}

static void submit_one_trailer(struct stream *stream)
{
    char field[2][ID_TEXT];
    nghttp2_nv trailer;

    if (!field_argument(stream, 't', field))
        return;
    trailer = pair(field[0], field[1]);
    nghttp2_submit_trailer(stream->conn->session, stream->id, &trailer, 1);
}

static size_t generate(struct stream *stream, uint8_t *buf, size_t cap)
{
    size_t n = stream->to_give - stream->given < cap ? (size_t) (stream->to_give - stream->given) : cap;

    for (size_t i = 0; i < n; i++)
        buf[i] = h2_pattern(stream->given + i);
    stream->sum = h2_sum(stream->sum, buf, n);
    stream->given += n;
    return n;
}

static size_t give_back(struct stream *stream, uint8_t *buf, size_t cap)
{
    size_t n = stream->held_len < cap ? stream->held_len : cap;

    if (n > 0)
        memcpy(buf, stream->held + stream->held_start, n);
    stream->held_start += n;
    stream->held_len -= n;
    nghttp2_session_consume(stream->conn->session, stream->id, n); /* back-pressure reaches the client */
    return n;
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *buf, size_t cap, uint32_t *flags,
                           nghttp2_data_source *source, void *user)
{
    struct stream *stream = source->ptr;
    size_t n = stream->generates ? generate(stream, buf, cap) : give_back(stream, buf, cap);
    bool end = stream->generates ? stream->given == stream->to_give && !stream->endless
                                 : stream->body_ended && stream->held_len == 0;

    (void) session, (void) id, (void) user;
    if (!end)
        return n > 0 ? (ssize_t) n : NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->with_sum || stream->with_trailer)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    if (stream->with_sum)
        submit_trailers(stream);
    if (stream->with_trailer)
        submit_one_trailer(stream);
    return (ssize_t) n;
}

static void answer(struct stream *stream, unsigned status, const char *retry_after, bool has_body)
{
    nghttp2_data_provider body = { .source.ptr = stream, .read_callback = read_answer };
    char code[12], field[2][ID_TEXT];
    nghttp2_nv head[4];
    size_t n = 0;

    snprintf(code, sizeof code, "%u", status);
    head[n++] = pair(":status", code);
    head[n++] = pair("x-server", stream->conn->server->name);
    if (retry_after)
        head[n++] = pair("retry-after", retry_after);
    if (strcmp(stream->behaviour, "status") == 0 && field_argument(stream, 'h', field))
        head[n++] = pair(field[0], field[1]);
    stream->answered = true;
    nghttp2_submit_response(stream->conn->session, stream->id, head, n, has_body ? &body : NULL);
}

static void hold(struct stream *stream, const uint8_t *bytes, size_t len)
{
    if (stream->held_start > 0 && stream->held_start + stream->held_len + len > stream->held_cap) {
        memmove(stream->held, stream->held + stream->held_start, stream->held_len);
        stream->held_start = 0;
    }
    if (stream->held_len + len > stream->held_cap) {
        stream->held_cap = (stream->held_len + len) * 2;
        stream->held = realloc(stream->held, stream->held_cap);
        need(stream->held != NULL, "memory");
    }
    memcpy(stream->held + stream->held_start + stream->held_len, bytes, len);
    stream->held_len += len;
}

static void answer_ok(struct stream *stream)
{
    hold(stream, (const uint8_t *) stream->conn->server->name, strlen(stream->conn->server->name));
    stream->body_ended = true;
    answer(stream, 200, NULL, true);
}

static void do_status(struct stream *stream)
{
    char after[24];
    bool has_after = strstr(stream->path, "after=") != NULL;

    snprintf(after, sizeof after, "%llu", (unsigned long long) argument(stream, "after"));
    stream->generates = stream->with_trailer = strstr(stream->path, "&t=") != NULL;
    answer(stream, (unsigned) argument(stream, "code"), has_after ? after : NULL, stream->with_trailer);
}

static void do_give(struct stream *stream)
{
    stream->generates = true;
    stream->to_give = argument(stream, "bytes");
    stream->with_sum = argument(stream, "trailers") != 0;
    answer(stream, 200, NULL, true);
}

static void do_hang(struct stream *stream)
{
    stream->generates = stream->endless = true;
    stream->to_give = 100;
    answer(stream, 200, NULL, true);
}

static void do_echo(struct stream *stream)
{
    stream->with_sum = true;
    answer(stream, 200, NULL, true);
}

static void do_early(struct stream *stream)
{
    answer(stream, 200, NULL, false);
}

static void do_reset(struct stream *stream)
{
    nghttp2_submit_rst_stream(stream->conn->session, 0, stream->id, (uint32_t) argument(stream, "code"));
}

static void do_refuse(struct stream *stream)
{
    nghttp2_submit_rst_stream(stream->conn->session, 0, stream->id, NGHTTP2_REFUSED_STREAM);
}

static void do_goaway(struct stream *stream)
{
    nghttp2_submit_goaway(stream->conn->session, 0, stream->id > 2 ? stream->id - 2 : 0, NGHTTP2_NO_ERROR, NULL, 0);
}

static void do_kill(struct stream *stream)
{
    stream->conn->dead = true;
}

static void do_health(struct stream *stream)
{
    struct h2_server *server = stream->conn->server;
    unsigned status;

    pthread_mutex_lock(&server->lock);
    status = server->health;
    pthread_mutex_unlock(&server->lock);
    if (status > 0)
        answer(stream, status, NULL, false);
}

static void do_nothing(struct stream *stream)
{
    (void) stream;
}

static const struct behaviour {
    const char *name;
    void (*act)(struct stream *stream);
    bool refuses;     /* is not counted as executed */
    bool only_first;  /* `first` counts */
    bool whole_first; /* acts when the request's body has ended */
} behaviours[] = {
    { "ok", answer_ok, false, false, true },
    { "echo", do_echo, false, false, false },
    { "take", do_echo, false, false, true },
    { "early", do_early, false, false, false },
    { "give", do_give, false, false, true },
    { "never", do_nothing, false, true, false },
    { "slow", answer_ok, false, false, true },
    { "status", do_status, false, true, false },
    { "reset", do_reset, false, true, false },
    { "refuse", do_refuse, true, true, false },
    { "goaway", do_goaway, true, true, false },
    { "kill", do_kill, false, true, false },
    { "hang", do_hang, false, true, false },
    { "health", do_health, false, false, true },
    { "grpc.health.v1.Health/Check", do_health, false, false, true },
};

static const struct behaviour *behaviour_of(const struct stream *stream)
{
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++)
        if (strcmp(behaviours[i].name, stream->behaviour) == 0)
            return &behaviours[i];
    fprintf(stderr, "h2_server: no behaviour \"%s\"\n", stream->path);
    abort();
}

static void act(struct stream *stream)
{
    const struct behaviour *behaviour = behaviour_of(stream);

    if (stream->answered || stream->due_ms > 0 || (behaviour->whole_first && !stream->body_ended))
        return;
    behaviour->act(stream);
    if (!stream->answered)
        stream->answered = behaviour->act == do_nothing || behaviour->refuses || behaviour->act == do_reset;
}

/* What is "at" another server is not done here. */
static void leave_to_others(struct stream *stream)
{
    const struct h2_server_conf *conf = &stream->conn->server->conf;
    uint64_t at = argument(stream, "at");

    if (at > 0 && at != conf->number)
        snprintf(stream->path, sizeof stream->path, "%s", conf->else_path ? conf->else_path : "/ok");
}

/* The whole head has come. */
static void begin(struct stream *stream)
{
    const struct behaviour *behaviour;
    uint64_t first, wait;
    unsigned before;

    leave_to_others(stream);
    snprintf(stream->behaviour, sizeof stream->behaviour, "%.*s", (int) strcspn(stream->path + 1, "?"),
             stream->path + 1);
    if (strcmp(stream->behaviour, "health") == 0 && !stream->request_id[0])
        snprintf(stream->request_id, sizeof stream->request_id, "health");
    before = note_seen(stream);
    behaviour = behaviour_of(stream);
    first = argument(stream, "first");
    if (behaviour->only_first && first > 0 && before >= first) {
        snprintf(stream->behaviour, sizeof stream->behaviour, "ok");
        behaviour = behaviour_of(stream);
    }
    if (!behaviour->refuses)
        note_executed(stream);
    wait = argument(stream, "delay") + (strcmp(stream->behaviour, "slow") == 0 ? argument(stream, "ms") : 0);
    if (wait > 0)
        stream->due_ms = h2_now_ms() + wait;
    act(stream);
}

/* ---- what nghttp2 tells ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct conn *conn = user;
    struct stream *stream;

    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    stream = calloc(1, sizeof *stream);
    need(stream != NULL, "memory");
    stream->conn = conn;
    stream->id = frame->hd.stream_id;
    stream->next = conn->streams;
    conn->streams = stream;
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    count_streams(conn->server, 1);
    return 0;
}

static void keep(char *to, size_t size, const uint8_t *value, size_t len)
{
    snprintf(to, size, "%.*s", (int) len, (const char *) value);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    size_t used;

    (void) user;
    if (!stream)
        return 0;
    used = strlen(stream->head);
    snprintf(stream->head + used, sizeof stream->head - used, "%.*s: %.*s%s\n", (int) name_len, (const char *) name,
             (int) value_len, (const char *) value, flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "");
    if (name_len == 5 && memcmp(name, ":path", 5) == 0)
        keep(stream->path, sizeof stream->path, value, value_len);
    if (name_len == 4 && memcmp(name, "x-id", 4) == 0)
        keep(stream->request_id, sizeof stream->request_id, value, value_len);
    if (name_len == 14 && memcmp(name, "x-mesh-attempt", 14) == 0)
        keep(stream->attempt, sizeof stream->attempt, value, value_len);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);

    (void) flags, (void) user;
    if (!stream) {
        nghttp2_session_consume(session, id, len);
        return 0;
    }
    stream->received += len;
    note_bytes(stream, len);
    if (strcmp(stream->behaviour, "echo") == 0) {
        stream->sum = h2_sum(stream->sum, bytes, len);
        hold(stream, bytes, len);
        nghttp2_session_resume_data(session, id);
        return 0;
    }
    if (strcmp(stream->behaviour, "take") == 0)
        stream->sum = h2_sum(stream->sum, bytes, len);
    if (strcmp(stream->behaviour, "never") != 0) /* who never answers does not read either */
        nghttp2_session_consume(session, id, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

    (void) user;
    if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        stream->body_ended = true;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->behaviour[0])
        begin(stream);
    else
        act(stream);
    if (stream->answered && stream->body_ended)
        nghttp2_session_resume_data(session, stream->id);
    return 0;
}

void h2_script_free_stream(struct conn *conn, struct stream *stream)
{
    struct stream **at = &conn->streams;

    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    count_streams(conn->server, -1);
    free(stream->held);
    free(stream);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, id);

    if (stream && code == NGHTTP2_CANCEL)
        note_cancelled(stream);
    if (stream)
        h2_script_free_stream(user, stream);
    return 0;
}

/* ---- the door ---- */

void h2_script_open(struct conn *conn)
{
    nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                            conn->server->conf.max_streams ? conn->server->conf.max_streams : 1000 } };
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option = NULL;

    need(nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0, "memory");
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_option_set_no_auto_window_update(option, 1);
    need(nghttp2_session_server_new2(&conn->session, callbacks, conn, option) == 0, "memory");
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (!conn->server->conf.mute)
        nghttp2_submit_settings(conn->session, 0, settings, 1);
}

void h2_script_run_due(struct conn *conn, uint64_t now)
{
    for (struct stream *stream = conn->streams; stream; stream = stream->next) {
        if (stream->due_ms == 0 || stream->due_ms > now)
            continue;
        stream->due_ms = 0;
        act(stream);
    }
}
