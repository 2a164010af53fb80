/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, times and quoted text of log lines, made by hand: this runs once per request. */
#include "observe/line.h"

#include "base/clock.h"
#include "base/text.h"
#include "observe/escape.h"

static void put_unsigned(struct line *line, uint64_t number, size_t width)
{
    char digits[TEXT_U64];
    size_t len = text_from_u64(number, digits);

    for (; width > len; width--)
        line_put(line, "0");
    line_bytes(line, digits, len);
}

void line_number(struct line *line, int64_t number)
{
    if (number >= 0) {
        put_unsigned(line, (uint64_t) number, 1);
        return;
    }
    line_put(line, "-");
    put_unsigned(line, 0 - (uint64_t) number, 1);
}

void line_millis(struct line *line, uint64_t us)
{
    put_unsigned(line, us / 1000, 1);
    line_put(line, ".");
    put_unsigned(line, us % 1000, 3);
}

void line_time(struct line *line, uint64_t wall_us)
{
    char text[CLOCK_TEXT];

    clock_text(wall_us, text);
    line_put(line, text);
}

void line_quoted(struct line *line, const char *text, size_t len, size_t most)
{
    static const size_t around = sizeof "\"\"" - 1 + sizeof ESCAPE_CUT - 1;
    bool cut;

    if (line_room(line) < most + around)
        most = line_room(line) < around ? 0 : line_room(line) - around;
    line_put(line, "\"");
    line->len += escape(line->text + line->len, most, text, text ? len : 0, &cut);
    if (cut)
        line_put(line, ESCAPE_CUT);
    line_put(line, "\"");
}

static bool stands_bare(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~' || *text == '"' || *text == '=' || *text == '\\')
            return false;
    return true;
}

void line_logfmt(struct line *line, const char *text)
{
    size_t len = strlen(text);

    if (len <= LINE_TEXT_MOST && stands_bare(text)) {
        line_bytes(line, text, len);
        return;
    }
    line_quoted(line, text, len, LINE_TEXT_MOST);
}
