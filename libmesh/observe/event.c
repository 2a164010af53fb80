/* SPDX-License-Identifier: Apache-2.0 */
/* Events as logfmt for people and as JSON with OpenTelemetry's severities for machines. */
#include "observe/event.h"

#include <string.h>

/* What a field takes at most, and what must stay for the rest of the line. */
enum { NAME_MOST = 64, FIELD_ROOM = NAME_MOST + LINE_TEXT_MOST + 16, TAIL_ROOM = 3 * FIELD_ROOM };

static const char *severity_text(int32_t level)
{
    if (level >= MESH_LOG_ERROR)
        return "ERROR";
    if (level >= MESH_LOG_WARN)
        return "WARN";
    return level >= MESH_LOG_INFO ? "INFO" : "DEBUG";
}

static bool fits_field(const struct line *line)
{
    return line_room(line) >= FIELD_ROOM + TAIL_ROOM;
}

static void put_text_number(struct line *line, const char *name, int64_t number)
{
    line_put(line, " ");
    line_put(line, name);
    line_put(line, "=");
    line_number(line, number);
}

static void put_text_field(struct line *line, const struct observe_field *field)
{
    if (!field->text) {
        put_text_number(line, field->name, field->number);
        return;
    }
    line_put(line, " ");
    line_put(line, field->name);
    line_put(line, "=");
    line_logfmt(line, field->text);
}

void event_format_text(struct line *line, const struct event *event)
{
    line_time(line, event->wall_us);
    line_put(line, " ");
    line_put(line, severity_text(event->level));
    line_put(line, " ");
    line_put(line, event->name);
    for (size_t i = 0; i < event->n_fields && fits_field(line); i++)
        put_text_field(line, &event->fields[i]);
    if (event->suppressed > 0)
        put_text_number(line, "suppressed", (int64_t) event->suppressed);
}

static void put_key(struct line *line, const char *name)
{
    line_quoted(line, name, strlen(name), NAME_MOST);
    line_put(line, ":");
}

static void put_json_field(struct line *line, const struct observe_field *field)
{
    put_key(line, field->name);
    if (!field->text) {
        line_number(line, field->number);
        return;
    }
    line_quoted(line, field->text, strlen(field->text), LINE_TEXT_MOST);
}

static void put_json_process(struct line *line, const char *key, const char *text)
{
    if (!text || *text == '\0')
        return;
    line_put(line, ",");
    put_key(line, key);
    line_quoted(line, text, strlen(text), LINE_TEXT_MOST);
}

void event_format_json(struct line *line, const struct event *event)
{
    line_put(line, "{\"timestamp\":\"");
    line_time(line, event->wall_us);
    line_put(line, "\",\"severity_text\":\"");
    line_put(line, severity_text(event->level));
    line_put(line, "\",\"severity_number\":");
    line_number(line, event->level);
    line_put(line, ",\"event\":");
    line_quoted(line, event->name, strlen(event->name), NAME_MOST);
    line_put(line, ",\"fields\":{");
    for (size_t i = 0; i < event->n_fields && fits_field(line); i++) {
        if (i > 0)
            line_put(line, ",");
        put_json_field(line, &event->fields[i]);
    }
    line_put(line, "}");
    if (event->suppressed > 0) {
        line_put(line, ",\"suppressed\":");
        line_number(line, (int64_t) event->suppressed);
    }
    put_json_process(line, "service.name", event->service_name);
    put_json_process(line, "zone", event->zone);
    line_put(line, "}");
}
