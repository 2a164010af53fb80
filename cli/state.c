/* SPDX-License-Identifier: Apache-2.0 */
/* States in colours, times in words. */
#include "cli/state.h"

#include <string.h>

enum colour state_colour(const char *state)
{
    static const struct {
        const char *state;
        enum colour colour;
    } colours[] = {
        { "connected", COLOUR_GOOD },      { "ready", COLOUR_GOOD },          { "failed", COLOUR_BAD },
        { "unhealthy", COLOUR_BAD },       { "withdrawn", COLOUR_BAD },       { "isolated", COLOUR_BAD },
        { "silent", COLOUR_BAD },          { "due", COLOUR_CHANGING },        { "probed", COLOUR_CHANGING },
        { "recovering", COLOUR_CHANGING }, { "connecting", COLOUR_CHANGING }, { "pending", COLOUR_CHANGING },
    };

    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (strcmp(colours[i].state, state) == 0)
            return colours[i].colour;
    return COLOUR_FAINT;
}

void ms_cell(struct table *table, const json_t *object, const char *key)
{
    const json_t *ms = json_object_get(object, key);
    char text[32];

    table_cell(table, json_is_number(ms) ? show_us(json_number_value(ms) * 1e3, text) : "", COLOUR_NONE);
}

void told_cell(struct table *table, const json_t *endpoint)
{
    const char *told = text_at(endpoint, json_object_get(endpoint, "told_health") ? "told_health" : "health");
    bool is_held = json_is_true(json_object_get(endpoint, "held"));

    table_cell(table, is_held ? "held" : strcmp(told, "healthy") == 0 ? "" : told, COLOUR_CHANGING);
}
