/* SPDX-License-Identifier: Apache-2.0 */
/* One request as one JSON object, with the names that Envoy's access log has. */
#include "observe/access.h"

#include <string.h>

/* In the order in which Envoy writes them. Two bits share a name where Envoy knows one reason only. */
static const struct {
    uint32_t flags;
    const char *name;
} response_flags[] = {
    { FLAG_NO_HEALTHY_UPSTREAM, "UH" },
    { FLAG_CONNECT_FAILURE, "UF" },
    { FLAG_UPSTREAM_OVERFLOW, "UO" },
    { FLAG_NO_ROUTE, "NR" },
    { FLAG_RETRY_LIMIT | FLAG_RETRY_BUDGET, "URX" },
    { FLAG_NO_CLUSTER, "NC" },
    { FLAG_UPSTREAM_TIMEOUT, "UT" },
    { FLAG_CONNECTION_TERMINATED, "UC" },
    { FLAG_LOCAL_RESET, "LR" },
    { FLAG_REMOTE_RESET, "UR" },
    { FLAG_DOWNSTREAM_END, "DC" },
    { FLAG_DELAY_INJECTED, "DI" },
    { FLAG_FAULT_INJECTED, "FI" },
    { FLAG_RATE_LIMITED, "RL" },
    { FLAG_PROTOCOL_ERROR, "UPE" },
    { FLAG_DNS_FAILURE, "DF" },
    { FLAG_DROP_OVERLOAD, "DO" },
};

static void put_flags(struct line *line, uint32_t flags)
{
    const char *before = "";

    for (size_t i = 0; flags != 0 && i < COUNT_OF(response_flags); i++) {
        if (!(flags & response_flags[i].flags))
            continue;
        line_put(line, before);
        line_put(line, response_flags[i].name);
        before = ",";
    }
    if (*before == '\0')
        line_put(line, "-");
}

/* A query may hold tokens and other people's data: that there was one is all that is told. */
static void put_path(struct line *line, const char *path)
{
    size_t len = path ? strcspn(path, "?#") : 0;

    line_quoted(line, path, len, LINE_PATH_MOST);
    if (!path || path[len] == '\0')
        return;
    line->len--;
    line_put(line, "?\xe2\x80\xa6\"");
}

static void put_text(struct line *line, const char *key, const char *text)
{
    line_put(line, key);
    line_quoted(line, text, text ? strlen(text) : 0, LINE_TEXT_MOST);
}

static void put_number(struct line *line, const char *key, uint64_t number)
{
    line_put(line, key);
    line_number(line, (int64_t) number);
}

static void put_error(struct line *line, int32_t err)
{
    if (err == 0) {
        line_put(line, ",\"error\":null");
        return;
    }
    put_text(line, ",\"error\":", error_name(err));
}

/* All texts at their longest fit in a line: the object always ends. */
void access_format(struct line *line, const struct observe_access *record)
{
    line_put(line, "{\"start_time\":\"");
    line_time(line, record->started_wall_us);
    put_text(line, "\",\"service\":", record->service);
    put_text(line, ",\"upstream_cluster\":", record->cluster);
    put_text(line, ",\"route_name\":", record->route);
    put_text(line, ",\"upstream_host\":", record->host);
    put_text(line, ",\"upstream_zone\":", record->zone);
    put_text(line, ",\"method\":", record->method);
    line_put(line, ",\"path\":");
    put_path(line, record->path);
    put_text(line, ",\"authority\":", record->authority);
    put_text(line, ",\"protocol\":", record->protocol);
    put_number(line, ",\"response_code\":", (uint64_t) record->status);
    line_put(line, ",\"response_flags\":\"");
    put_flags(line, record->flags);
    put_number(line, "\",\"attempts\":", record->attempts);
    line_put(line, record->hedged ? ",\"hedged\":true" : ",\"hedged\":false");
    line_put(line, ",\"duration_ms\":");
    line_millis(line, record->duration_us);
    put_number(line, ",\"bytes_sent\":", record->bytes_sent);
    put_number(line, ",\"bytes_received\":", record->bytes_received);
    put_text(line, ",\"trace_id\":", record->trace_id);
    put_error(line, record->err);
    put_text(line, ",\"detail\":", record->detail);
    line_put(line, "}");
}
