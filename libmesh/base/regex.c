/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, by PCRE2 within bounds. */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string.h>

#include <mesh/error.h>

#include "base/mem.h"
#include "base/regex_syntax.h"
#include "base/text.h"

/* Steps of one call, a few nanoseconds each. */
enum { STEPS = 1 << 20 };
/* KiB of what is remembered to go back to. */
enum { HEAP_KB = 256 };

struct regex {
    enum regex_use use;
    pcre2_code *code;
};

/* ---- memory ---- */

static void *take(PCRE2_SIZE size, void *user)
{
    (void) user;
    return mem_alloc(size);
}

static void give(void *block, void *user)
{
    (void) user;
    mem_free(block);
}

/* What PCRE2 needs for one call: nearly always it fits, and then nothing is allocated. (The first 20 KiB are pcre2_match()'s
 * own, for what it goes back to.) */
enum { SCRATCH = 23 << 10 };
struct scratch {
    size_t used;
    _Alignas(16) unsigned char bytes[SCRATCH];
};

static void *take_scratch(PCRE2_SIZE size, void *user)
{
    struct scratch *scratch = user;
    size_t rounded = (size + 15) / 16 * 16;

    if (size > SCRATCH || rounded > SCRATCH - scratch->used)
        return mem_alloc(size);
    scratch->used += rounded;
    return scratch->bytes + scratch->used - rounded;
}

static void give_scratch(void *block, void *user)
{
    struct scratch *scratch = user;
    uintptr_t at = (uintptr_t) block, begin = (uintptr_t) scratch->bytes;

    if (at < begin || at >= begin + SCRATCH)
        mem_free(block);
}

/* ---- patterns ---- */

static int32_t refuse(const char *pattern, size_t at, const char *why, struct fault *fault)
{
    char shown[100];

    return fault_set(fault, MESH_ERR_INVALID, "regular expression \"%s\", at byte %zu: %s",
                     text_printable(pattern, strlen(pattern), shown, sizeof shown), at, why);
}

static int32_t refuse_error(const char *pattern, size_t at, int error, struct fault *fault)
{
    char why[128] = "";

    if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    pcre2_get_error_message(error, (PCRE2_UCHAR *) why, sizeof why);
    return refuse(pattern, at, why, fault);
}

static pcre2_code *compile(const char *pattern, enum regex_use use, int *error, size_t *at)
{
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
    pcre2_general_context *memory = pcre2_general_context_create(take, give, NULL);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    pcre2_code *code = NULL;

    *error = PCRE2_ERROR_NOMEMORY;
    if (!context)
        goto done;
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, REGEX_NESTED_MOST);
    if (use == REGEX_TO_REPLACE)
        options |= PCRE2_AUTO_CALLOUT;
    code = pcre2_compile((PCRE2_SPTR) pattern, PCRE2_ZERO_TERMINATED, options, error, at, context);
done:
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return code;
}

/* What is said of a pattern is said of it as it was written, not of its plain form. */
static int32_t make_code(const char *pattern, const char *plain, enum regex_use use, pcre2_code **out,
                         struct fault *fault)
{
    size_t at = 0;
    int error;

    *out = compile(use == REGEX_TO_MATCH ? plain : pattern, use, &error, &at);
    if (!*out && use == REGEX_TO_MATCH) {
        int plain_error = error;

        *out = compile(pattern, use, &error, &at);
        if (*out) {
            pcre2_code_free(*out);
            *out = NULL;
            error = plain_error;
            at = 0;
        }
    }
    return *out ? 0 : refuse_error(pattern, at, error, fault);
}

static int32_t make(const char *pattern, enum regex_use use, pcre2_code **out, struct fault *fault)
{
    struct buf plain = { 0 };
    size_t at;
    const char *wrong = regex_syntax_check(pattern, &plain, &at);
    int32_t err;

    *out = NULL;
    if (wrong == regex_no_memory || !buf_append(&plain, "", 1))
        err = fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    else if (wrong)
        err = refuse(pattern, at, wrong, fault);
    else
        err = make_code(pattern, (const char *) buf_bytes(&plain), use, out, fault);
    buf_free(&plain);
    return err;
}

int32_t regex_new(const char *pattern, enum regex_use use, struct regex **out, struct fault *fault)
{
    struct regex *regex;
    int32_t err;

    *out = NULL;
    if (strlen(pattern) > REGEX_MOST)
        return fault_set(fault, MESH_ERR_INVALID, "a regular expression of %zu bytes; at most %d are allowed",
                         strlen(pattern), REGEX_MOST);
    regex = mem_zalloc(sizeof *regex);
    if (!regex)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    err = make(pattern, use, &regex->code, fault);
    if (err) {
        mem_free(regex);
        return err;
    }
    regex->use = use;
    *out = regex;
    return 0;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    mem_free(regex);
}

/* ---- matching ---- */

/* A step of going back may pass by the whole text, so a longer text has fewer of them. */
static int match_by_trying(const struct regex *regex, const char *text, size_t len)
{
    struct scratch scratch;
    pcre2_general_context *memory;
    pcre2_match_context *context;
    pcre2_match_data *data;
    int result = PCRE2_ERROR_NOMEMORY;

    scratch.used = 0;
    memory = pcre2_general_context_create(take_scratch, give_scratch, &scratch);
    context = memory ? pcre2_match_context_create(memory) : NULL;
    data = context ? pcre2_match_data_create(1, memory) : NULL;
    if (!data)
        goto done;
    pcre2_set_match_limit(context, (uint32_t) (STEPS / (len + 1) + 1));
    pcre2_set_heap_limit(context, HEAP_KB);
    result = pcre2_match(regex->code, (PCRE2_SPTR) text, len, 0,
                         PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NO_UTF_CHECK, data, context);
done:
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    pcre2_general_context_free(memory);
    return result;
}

/* All alternatives side by side, a byte at a time: each is compared with those before it. */
enum { COMPARED = 16 << 20, SIDE_BY_SIDE = 512, WORDS_OF_ONE = 6 };

static size_t fewer(size_t alternatives, size_t len)
{
    while (alternatives > 1 && alternatives * alternatives / 2 * len > COMPARED)
        alternatives /= 2;
    return alternatives;
}

/* The longest match comes first. (PCRE2_ENDANCHORED lets shorter ones pass here in 10.42.) */
static bool matches_side_by_side(const struct regex *regex, const char *text, size_t len)
{
    int workspace[SIDE_BY_SIDE * WORDS_OF_ONE + 2];
    pcre2_general_context *memory = pcre2_general_context_create(take, give, NULL);
    pcre2_match_data *data = memory ? pcre2_match_data_create(1, memory) : NULL;
    bool matches = false;

    if (data)
        matches = pcre2_dfa_match(regex->code, (PCRE2_SPTR) text, len, 0, PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, data,
                                  NULL, workspace, fewer(SIDE_BY_SIDE, len) * WORDS_OF_ONE + 2) >= 0 &&
                  pcre2_get_ovector_pointer(data)[1] == len;
    pcre2_match_data_free(data);
    pcre2_general_context_free(memory);
    return matches;
}

bool regex_matches(const struct regex *regex, const char *text, size_t len)
{
    int result;

    if (!text_is_utf8(text, len))
        return false;
    result = match_by_trying(regex, text, len);
    return result >= 0 || (result != PCRE2_ERROR_NOMATCH && matches_side_by_side(regex, text, len));
}

/* ---- replacing ---- */

int32_t regex_check_substitution(const struct regex *regex, const char *substitution, struct fault *fault)
{
    uint32_t groups = 0;

    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    for (const char *at = substitution; *at; at++) {
        if (*at != '\\')
            continue;
        at++;
        if (*at == '\\')
            continue;
        if (*at < '0' || *at > '9')
            return fault_set(fault, MESH_ERR_INVALID,
                             "a substitution has \"\\\" in front of a digit or of another \"\\\" only");
        if ((uint32_t) (*at - '0') > groups)
            return fault_set(fault, MESH_ERR_INVALID,
                             "a substitution names group %c of a regular expression that has %u", *at,
                             (unsigned) groups);
    }
    return 0;
}

struct steps {
    size_t left, position;
};

/* Between any two pieces of the pattern: what was passed by since the last time is counted, too. */
static int count_steps(pcre2_callout_block *block, void *user)
{
    struct steps *steps = user;
    size_t here = block->current_position;
    size_t done = (here > steps->position ? here - steps->position : steps->position - here) + 1;

    steps->position = here;
    if (done > steps->left)
        return PCRE2_ERROR_MATCHLIMIT;
    steps->left -= done;
    return 0;
}

static bool append_substitution(struct buf *out, const char *substitution, const char *text, const PCRE2_SIZE *groups,
                                size_t n_groups)
{
    bool done = true;

    for (const char *at = substitution; *at && done; at++) {
        size_t group = at[0] == '\\' && at[1] != '\\' ? (size_t) (at[1] - '0') : SIZE_MAX;

        if (*at == '\\')
            at++;
        if (group == SIZE_MAX)
            done = buf_append(out, at, 1);
        else if (group < n_groups && groups[2 * group] != PCRE2_UNSET)
            done = buf_append(out, text + groups[2 * group], groups[2 * group + 1] - groups[2 * group]);
    }
    return done;
}

/* One call's. */
struct replacing {
    const struct regex *regex;
    pcre2_match_context *context;
    pcre2_match_data *data;
    struct steps steps;
};

/* RE2's GlobalReplace(): nothing is replaced right behind the last match by an empty one. */
static int32_t replace_all(struct replacing *replacing, const char *text, size_t len, const char *substitution,
                           struct buf *out)
{
    const PCRE2_SIZE *groups = pcre2_get_ovector_pointer(replacing->data);
    size_t n_groups = pcre2_get_ovector_count(replacing->data);
    size_t last_end = SIZE_MAX, at = 0;
    bool room = true;

    while (at <= len && room) {
        int found = pcre2_match(replacing->regex->code, (PCRE2_SPTR) text, len, at, PCRE2_NO_UTF_CHECK, replacing->data,
                                replacing->context);

        if (found == PCRE2_ERROR_NOMATCH)
            break;
        if (found < 0)
            return found == PCRE2_ERROR_NOMEMORY ? MESH_ERR_NOMEM : MESH_ERR_TOO_LARGE;
        room = buf_append(out, text + at, groups[0] - at);
        at = groups[0];
        if (room && (groups[1] > at || at != last_end)) {
            room = append_substitution(out, substitution, text, groups, n_groups);
            at = last_end = groups[1];
            continue;
        }
        size_t one = at < len ? text_utf8_length((unsigned char) text[at]) : 1;

        room = room && (at == len || buf_append(out, text + at, one));
        at += one;
    }
    if (room && at < len)
        room = buf_append(out, text + at, len - at);
    return room ? 0 : MESH_ERR_NOMEM;
}

int32_t regex_replace(const struct regex *regex, const char *text, size_t len, const char *substitution,
                      struct buf *out)
{
    struct replacing replacing = { .regex = regex, .steps.left = STEPS };
    struct scratch scratch;
    pcre2_general_context *memory;
    int32_t err = MESH_ERR_NOMEM;

    if (!text_is_utf8(text, len))
        return buf_append(out, text, len) ? 0 : MESH_ERR_NOMEM;
    scratch.used = 0;
    memory = pcre2_general_context_create(take_scratch, give_scratch, &scratch);
    replacing.context = memory ? pcre2_match_context_create(memory) : NULL;
    replacing.data = replacing.context ? pcre2_match_data_create_from_pattern(regex->code, memory) : NULL;
    if (replacing.data) {
        pcre2_set_callout(replacing.context, count_steps, &replacing.steps);
        pcre2_set_heap_limit(replacing.context, HEAP_KB);
        err = replace_all(&replacing, text, len, substitution, out);
    }
    pcre2_match_data_free(replacing.data);
    pcre2_match_context_free(replacing.context);
    pcre2_general_context_free(memory);
    return err;
}
