/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over a pattern, by RE2's grammar. Where PCRE2 has more, or means something else, the pattern is refused. */
#include "base/regex_syntax.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* What stands before a repetition. */
enum before { NOTHING, ATOM, REPEATED, LAZY };

struct scan {
    const char *at;
    const char *wrong;
    enum before before;
    const char *one; /* what stands before, if it is one character or class, else NULL */
    size_t one_len;
    bool is_plus;   /* that was just repeated once or more */
    uint64_t times; /* how often what stands before is written out when repetitions in it are */
    size_t depth;
    uint64_t most_times[REGEX_NESTED_MOST + 1]; /* the same, the most of each open group */
};

static void refuse(struct scan *scan, const char *why)
{
    if (!scan->wrong)
        scan->wrong = why;
}

static void atom(struct scan *scan, size_t len)
{
    scan->one = scan->at;
    scan->one_len = len;
    scan->at += len;
    scan->before = ATOM;
    scan->times = 1;
}

/* Its repetition is not that of one character as it is written. */
static void whole(struct scan *scan, size_t len)
{
    atom(scan, len);
    scan->one = NULL;
}

static void character(struct scan *scan)
{
    size_t len = 1;

    while (((unsigned char) scan->at[len] & 0xc0) == 0x80) /* all of UTF-8's bytes */
        len++;
    atom(scan, len);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- escapes ---- */

/* Two digits, or any in braces. Returns the length of "\x..." or 0. */
static size_t hex_length(const char *at)
{
    size_t len = 3;

    if (is_hex(at[2]) && is_hex(at[3]))
        return 4;
    if (at[2] != '{')
        return 0;
    while (is_hex(at[len]))
        len++;
    return len > 3 && at[len] == '}' ? len + 1 : 0;
}

/* "\pL" or "\p{Greek}"; the name is PCRE2's to know. */
static size_t property_length(const char *at)
{
    const char *end;

    if (is_letter(at[2]))
        return 3;
    end = at[2] == '{' ? strchr(at, '}') : NULL;
    return end ? (size_t) (end - at) + 1 : 0;
}

/* Of those escapes that classes know, too; 0: it is none. */
static size_t plain_escape_length(const char *at)
{
    char c = at[1];

    if (c == 'x')
        return hex_length(at);
    if (c == 'p' || c == 'P')
        return property_length(at);
    if (c == '0') /* two more octal digits at most */
        return 2 + (strspn(at + 2, "01234567") < 2 ? strspn(at + 2, "01234567") : 2);
    if (c && strchr("aftnrdDsSwW", c))
        return 2;
    return c > ' ' && c < 0x7f && !is_digit(c) && !is_letter(c) ? 2 : 0;
}

/* Everything up to \E is as it stands; what is repeated is its last character. */
static void quoted(struct scan *scan)
{
    const char *end = strstr(scan->at + 2, "\\E");
    size_t len = end ? (size_t) (end - scan->at) + 2 : strlen(scan->at);

    if (end == scan->at + 2 || len == 2)
        scan->at += len;
    else
        whole(scan, len);
}

static void escape(struct scan *scan)
{
    size_t len = plain_escape_length(scan->at);
    char c = scan->at[1];

    if (len == 0 && c && strchr("bBAz", c))
        len = 2;
    if (c == 'Q')
        quoted(scan);
    else if (c >= '1' && c <= '9')
        refuse(scan, "what was matched before cannot be matched again");
    else if (len == 0)
        refuse(scan, "there is no such escape");
    else
        atom(scan, len);
}

/* ---- classes ---- */

/* "[:alpha:]", "[:^alpha:]". Returns its length; 0: the bracket is one of the class's characters. */
static size_t posix_length(struct scan *scan)
{
    static const char names[] = " alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit ";
    const char *name = scan->at + 2, *end = scan->at[1] == ':' ? strstr(name, ":]") : NULL, *known;
    size_t len;

    if (!end)
        return 0;
    name += *name == '^';
    len = (size_t) (end - name);
    for (known = names; known[1]; known = strchr(known + 1, ' '))
        if (strcspn(known + 1, " ") == len && memcmp(known + 1, name, len) == 0)
            return (size_t) (end - scan->at) + 2;
    refuse(scan, "there is no such class");
    return 0;
}

static void class(struct scan *scan)
{
    const char *begin = scan->at++;

    scan->at += *scan->at == '^';
    scan->at += *scan->at == ']';
    while (!scan->wrong && *scan->at && *scan->at != ']') {
        size_t len = 1;

        if (*scan->at == '[' && posix_length(scan) > 0)
            len = posix_length(scan);
        else if (*scan->at == '\\')
            len = plain_escape_length(scan->at);
        if (len == 0)
            refuse(scan, "there is no such escape in a class");
        scan->at += len;
    }
    if (scan->wrong)
        return;
    if (*scan->at == ']') {
        size_t len = (size_t) (scan->at - begin) + 1;

        scan->at = begin;
        atom(scan, len);
        return;
    }
    scan->at = begin;
    refuse(scan, "the class does not end");
}

/* ---- groups ---- */

/* "(?i)", "(?i-s:": the length up to and with the last character. */
static size_t flags_length(const char *at)
{
    size_t len = 2 + strspn(at + 2, "imsU");

    if (at[len] == '-') {
        size_t off = strspn(at + len + 1, "imsU");

        if (off == 0)
            return 0;
        len += 1 + off;
    }
    return at[len] == ':' || (at[len] == ')' && len > 2) ? len + 1 : 0;
}

/* "(", "(?:", "(?P<name>", "(?<name>". */
static size_t group_length(const char *at)
{
    const char *name = at + 2;
    size_t len;

    if (at[1] != '?')
        return at[1] == '*' ? 0 : 1;
    name += *name == 'P';
    if (*name != '<')
        return flags_length(at);
    for (len = 1; is_letter(name[len]) || is_digit(name[len]) || name[len] == '_'; len++)
        continue;
    return len > 1 && name[len] == '>' ? (size_t) (name - at) + len + 1 : 0;
}

static void open_group(struct scan *scan)
{
    size_t len = group_length(scan->at);

    if (len == 0) {
        refuse(scan, "there are no such groups: nothing looks around, back, or into itself");
        return;
    }
    scan->before = NOTHING;
    if (scan->at[len - 1] == ')') { /* only flags */
        scan->at += len;
        return;
    }
    if (scan->depth == REGEX_NESTED_MOST) {
        refuse(scan, "groups are nested too deep");
        return;
    }
    scan->at += len;
    scan->most_times[++scan->depth] = 1;
}

static void close_group(struct scan *scan)
{
    if (scan->depth == 0) {
        refuse(scan, "no group is open");
        return;
    }
    whole(scan, 1);
    scan->times = scan->most_times[scan->depth--];
    if (scan->most_times[scan->depth] < scan->times)
        scan->most_times[scan->depth] = scan->times;
}

/* ---- repetitions ---- */

static void repeat(struct scan *scan, size_t len, uint64_t times, bool is_plus)
{
    if (scan->before == NOTHING) {
        refuse(scan, "there is nothing to repeat");
        return;
    }
    if (scan->before != ATOM) {
        refuse(scan, "what is repeated cannot be repeated without a group");
        return;
    }
    if (times > REGEX_REPEATED_MOST || scan->times * times > REGEX_REPEATED_MOST) {
        refuse(scan, "that is repeated more than 1000 times, with what it is within");
        return;
    }
    scan->times *= times > 1 ? times : 1;
    if (scan->most_times[scan->depth] < scan->times)
        scan->most_times[scan->depth] = scan->times;
    scan->at += len;
    scan->before = REPEATED;
    scan->is_plus = is_plus && scan->one;
}

static void repeat_or_lazy(struct scan *scan)
{
    if (*scan->at != '?' || scan->before != REPEATED) {
        repeat(scan, 1, 1, *scan->at == '+');
        return;
    }
    scan->at++;
    scan->before = LAZY;
}

static size_t digits(const char *at)
{
    return strspn(at, "0123456789");
}

/* "{2}", "{2,}", "{2,5}" repeat; other braces are characters, but newer PCRE2 takes some more for repetitions. */
static void brace(struct scan *scan)
{
    const char *at = scan->at;
    size_t first = digits(at + 1), second = 0, len = 1 + first;
    uint64_t from = 0, to = 0;

    if (first > 0 && at[len] == ',') {
        second = digits(at + len + 1);
        len += 1 + second;
    }
    if (first == 0 || at[len] != '}') {
        len = 1 + strspn(at + 1, "0123456789, ");
        if (len > 1 && at[len] == '}')
            refuse(scan, "an incomplete repetition; braces that stand for themselves are written \"\\{\"");
        else
            atom(scan, 1);
        return;
    }
    if (!text_to_u64(at + 1, first, &from) || (second > 0 && !text_to_u64(at + 2 + first, second, &to)))
        from = UINT64_MAX;
    repeat(scan, len + 1, from > to ? from : to, from == 1 && second == 0 && at[len - 1] == ',');
}

/* ---- all of it ---- */

static void next(struct scan *scan)
{
    switch (*scan->at) {
    case '\\':
        escape(scan);
        break;
    case '[':
        class(scan);
        break;
    case '(':
        open_group(scan);
        break;
    case ')':
        close_group(scan);
        break;
    case '*':
    case '+':
    case '?':
        repeat_or_lazy(scan);
        break;
    case '{':
        brace(scan);
        break;
    case '|':
        scan->before = NOTHING;
        scan->at++;
        break;
    default:
        character(scan);
    }
}

static bool put(const struct scan *scan, const char *from, struct buf *plain)
{
    if (!scan->is_plus)
        return buf_append(plain, from, (size_t) (scan->at - from));
    return buf_append(plain, scan->one, scan->one_len) && buf_append(plain, "*", 1);
}

const char regex_no_memory[] = "out of memory";

const char *regex_syntax_check(const char *pattern, struct buf *plain, size_t *at)
{
    struct scan scan = { .at = pattern, .most_times = { 1 } };

    while (!scan.wrong && *scan.at) {
        const char *from = scan.at;

        scan.is_plus = false;
        next(&scan);
        if (!put(&scan, from, plain))
            refuse(&scan, regex_no_memory);
    }
    if (scan.depth > 0)
        refuse(&scan, "a group does not end");
    *at = (size_t) (scan.at - pattern);
    return scan.wrong;
}
