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

/* Years count from March here, so that the leap day is the last one (H. Hinnant, "chrono-compatible date algorithms").
 * gmtime_r() takes a lock of libc, which a forked child may find held for ever. */
static void put_date(struct line *line, uint64_t days)
{
    uint64_t shifted = days + 719468; /* since 0000-03-01 */
    uint64_t era = shifted / 146097;
    uint64_t day_of_era = shifted % 146097;
    uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t shifted_month = (5 * day_of_year + 2) / 153;
    uint64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;

    put_unsigned(line, year_of_era + era * 400 + (month <= 2), 4);
    line_put(line, "-");
    put_unsigned(line, month, 2);
    line_put(line, "-");
    put_unsigned(line, day_of_year - (153 * shifted_month + 2) / 5 + 1, 2);
}

void line_time(struct line *line, uint64_t wall_us)
{
    uint64_t seconds = wall_us / US_PER_S;

    put_date(line, seconds / 86400);
    line_put(line, "T");
    put_unsigned(line, seconds / 3600 % 24, 2);
    line_put(line, ":");
    put_unsigned(line, seconds / 60 % 60, 2);
    line_put(line, ":");
    put_unsigned(line, seconds % 60, 2);
    line_put(line, ".");
    put_unsigned(line, wall_us / US_PER_MS % 1000, 3);
    line_put(line, "Z");
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
