/* SPDX-License-Identifier: Apache-2.0 */
/* What a route matches: path, headers, query parameters, a share of the requests. */
#include "source/xds/routes_reader.h"

#include <string.h>

enum { HEADER_MATCHERS_MOST = 1000 };

/* ---- texts ---- */

static int32_t set_text(struct routes_reader *reader, const char *field, enum match_kind kind, const char *text,
                        struct match_text *out)
{
    int32_t err;

    reading_enter(reader->reading, field);
    err = out->ignore_case ? routes_lower(reader, text, &out->text) : routes_text(reader, text, &out->text);
    reading_leave(reader->reading);
    if (err)
        return err;
    out->kind = kind;
    out->len = strlen(out->text);
    return 0;
}

/* As set_text(), of a pattern that the published API wants at least one byte of. */
static int32_t set_pattern(struct routes_reader *reader, const char *field, enum match_kind kind, const char *text,
                           struct match_text *out)
{
    if (text[0] == '\0')
        return reading_wrong_at(reader->reading, field, "it is empty, which would match everything");
    return set_text(reader, field, kind, text, out);
}

static int32_t set_regex(struct routes_reader *reader, const char *field, const Matcher__RegexMatcher *matcher,
                         struct match_text *out)
{
    out->kind = MATCH_REGEX;
    out->ignore_case = false;
    return routes_regex(reader, field, matcher, REGEX_TO_MATCH, &out->regex);
}

static int32_t read_string(struct routes_reader *reader, const Matcher__StringMatcher *matcher, struct match_text *out)
{
    out->ignore_case = matcher->ignore_case;
    switch (matcher->match_pattern_case) {
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_EXACT:
        return set_text(reader, "exact", MATCH_EXACT, matcher->exact, out);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_PREFIX:
        return set_pattern(reader, "prefix", MATCH_PREFIX, matcher->prefix, out);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_SUFFIX:
        return set_pattern(reader, "suffix", MATCH_SUFFIX, matcher->suffix, out);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_CONTAINS:
        return set_pattern(reader, "contains", MATCH_CONTAINS, matcher->contains, out);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX:
        return set_regex(reader, "safe_regex", matcher->safe_regex, out);
    default:
        return reading_wrong(reader->reading,
                             "a string matcher has none of exact, prefix, suffix, contains and safe_regex");
    }
}

static int32_t set_string(struct routes_reader *reader, const Matcher__StringMatcher *matcher, struct match_text *out)
{
    int32_t err;

    reading_enter(reader->reading, "string_match");
    err = read_string(reader, matcher, out);
    reading_leave(reader->reading);
    return err;
}

/* ---- headers ---- */

static int32_t set_range(const Type__Int64Range *range, struct match_text *out)
{
    *out = (struct match_text){ .kind = MATCH_RANGE, .from = range->start, .to = range->end };
    return 0;
}

/* "It is there" may be said in three ways, and "it is not" in two. */
static int32_t set_present(bool present, struct match_header *out)
{
    out->value.kind = MATCH_PRESENT;
    out->invert = out->invert != !present;
    return 0;
}

static int32_t read_specifier(struct routes_reader *reader, const Route__HeaderMatcher *matcher,
                              struct match_header *out)
{
    switch (matcher->header_match_specifier_case) {
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_EXACT_MATCH:
        return set_text(reader, "exact_match", MATCH_EXACT, matcher->exact_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_RANGE_MATCH:
        return set_range(matcher->range_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PRESENT_MATCH:
        return set_present(matcher->present_match, out);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_PREFIX_MATCH:
        return set_pattern(reader, "prefix_match", MATCH_PREFIX, matcher->prefix_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SUFFIX_MATCH:
        return set_pattern(reader, "suffix_match", MATCH_SUFFIX, matcher->suffix_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_SAFE_REGEX_MATCH:
        return set_regex(reader, "safe_regex_match", matcher->safe_regex_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_CONTAINS_MATCH:
        return set_pattern(reader, "contains_match", MATCH_CONTAINS, matcher->contains_match, &out->value);
    case ROUTE__HEADER_MATCHER__HEADER_MATCH_SPECIFIER_STRING_MATCH:
        return set_string(reader, matcher->string_match, &out->value);
    default:
        break;
    }
    if (matcher->base.n_unknown_fields > 0)
        return reading_wrong(reader->reading,
                             "field %u of a header matcher is not known to libmesh, and nothing else "
                             "says what the value is compared with",
                             matcher->base.unknown_fields[0].tag);
    return set_present(true, out);
}

static int32_t read_header(struct routes_reader *reader, const Route__HeaderMatcher *matcher, struct match_header *out)
{
    int32_t err = routes_header_name(reader, matcher->name, &out->name);

    if (err)
        return err;
    out->invert = matcher->invert_match;
    out->missing_is_empty = matcher->treat_missing_header_as_empty;
    return read_specifier(reader, matcher, out);
}

int32_t routes_header_matchers(struct routes_reader *reader, const char *field, size_t n,
                               Route__HeaderMatcher *const *matchers, size_t *n_out, struct match_header **out)
{
    int32_t err;

    if (n == 0)
        return 0;
    if (n > HEADER_MATCHERS_MOST)
        return reading_wrong_at(reader->reading, field, "%zu matchers; allowed are %d", n, (int) HEADER_MATCHERS_MOST);
    err = routes_take(reader, ROUTES_MATCHER, n);
    if (err)
        return err;
    *out = routes_alloc(reader, n, sizeof **out);
    if (!*out)
        return MESH_ERR_NOMEM;
    *n_out = n;
    for (size_t i = 0; i < n && !err; i++) {
        reading_enter_item(reader->reading, field, i);
        err = read_header(reader, matchers[i], &(*out)[i]);
        reading_leave(reader->reading);
    }
    return err;
}

/* ---- query parameters ---- */

static int32_t read_query(struct routes_reader *reader, const Route__QueryParameterMatcher *matcher,
                          struct match_query *out)
{
    int32_t err;

    if (matcher->name[0] == '\0')
        return reading_wrong(reader->reading, "name is empty");
    err = routes_text(reader, matcher->name, &out->name);
    if (err)
        return err;
    if (matcher->query_parameter_match_specifier_case ==
        ROUTE__QUERY_PARAMETER_MATCHER__QUERY_PARAMETER_MATCH_SPECIFIER_STRING_MATCH)
        return set_string(reader, matcher->string_match, &out->value);
    if (matcher->base.n_unknown_fields > 0)
        return reading_wrong(reader->reading, "field %u of a matcher of query parameters is not known to libmesh",
                             matcher->base.unknown_fields[0].tag);
    out->value.kind = MATCH_PRESENT;
    return 0;
}

static int32_t read_queries(struct routes_reader *reader, const Route__RouteMatch *match, struct route *route)
{
    size_t n = match->n_query_parameters;
    int32_t err = routes_take(reader, ROUTES_MATCHER, n);

    if (err || n == 0)
        return err;
    if (n > HEADER_MATCHERS_MOST)
        return reading_wrong(reader->reading, "%zu query_parameters; allowed are %d", n, (int) HEADER_MATCHERS_MOST);
    route->queries = routes_alloc(reader, n, sizeof *route->queries);
    if (!route->queries)
        return MESH_ERR_NOMEM;
    route->n_queries = n;
    for (size_t i = 0; i < n && !err; i++) {
        reading_enter_item(reader->reading, "query_parameters", i);
        err = read_query(reader, match->query_parameters[i], &route->queries[i]);
        reading_leave(reader->reading);
    }
    return err;
}

/* ---- the path ---- */

/* As the published API has it: two bytes at least, no "?" or "#", and it does not end in "/". */
static int32_t set_separated(struct routes_reader *reader, const char *prefix, struct match_text *out)
{
    size_t len = strlen(prefix);

    if (len < 2 || prefix[len - 1] == '/' || strpbrk(prefix, "?#"))
        return reading_wrong_at(reader->reading, "path_separated_prefix",
                                "\"%.100s\": it has two bytes or more, no \"?\" or \"#\", and does not end in \"/\"",
                                prefix);
    return set_text(reader, "path_separated_prefix", MATCH_PATH_PREFIX, prefix, out);
}

/* connect_matcher and path_match_policy: other specifiers, which Envoy knows. */
static bool has_other_path(const Route__RouteMatch *match)
{
    return values_has_unknown(&match->base, 12) || values_has_unknown(&match->base, 15);
}

static int32_t read_path(struct routes_reader *reader, const Route__RouteMatch *match, struct match_text *out)
{
    out->ignore_case = match->case_sensitive && !match->case_sensitive->value;
    switch (match->path_specifier_case) {
    case ROUTE__ROUTE_MATCH__PATH_SPECIFIER_PREFIX:
        return set_text(reader, "prefix", MATCH_PREFIX, match->prefix, out);
    case ROUTE__ROUTE_MATCH__PATH_SPECIFIER_PATH:
        return set_text(reader, "path", MATCH_EXACT, match->path, out);
    case ROUTE__ROUTE_MATCH__PATH_SPECIFIER_SAFE_REGEX:
        return set_regex(reader, "safe_regex", match->safe_regex, out);
    case ROUTE__ROUTE_MATCH__PATH_SPECIFIER_PATH_SEPARATED_PREFIX:
        return set_separated(reader, match->path_separated_prefix, out);
    default:
        if (has_other_path(match))
            return 0;
        return reading_wrong(reader->reading, "it has none of prefix, path, safe_regex and path_separated_prefix");
    }
}

/* ---- all of it ---- */

static int32_t read_match(struct routes_reader *reader, const Route__RouteMatch *match, struct route *route)
{
    int32_t err = read_path(reader, match, &route->path);

    if (!err)
        err = routes_header_matchers(reader, "headers", match->n_headers, match->headers, &route->n_headers,
                                     &route->headers);
    if (!err)
        err = read_queries(reader, match, route);
    if (!err)
        err = values_runtime_fraction(reader->reading, "runtime_fraction", match->runtime_fraction, &route->fraction);
    route->has_fraction = match->runtime_fraction;
    route->grpc_only = match->grpc;
    return err;
}

/* Every field of it makes that fewer requests match. Who passes one by sends strangers' requests here. */
int32_t routes_match(struct routes_reader *reader, const Route__RouteMatch *match, struct route *route, bool *known)
{
    int32_t err;

    *known = true;
    if (!match)
        return reading_wrong_at(reader->reading, "match", "it is missing");
    reading_enter(reader->reading, "match");
    err = read_match(reader, match, route);
    if (!err && match->base.n_unknown_fields > 0) {
        *known = false;
        reading_ignored(reader->reading,
                        "the route is left out: field %u of it narrows what matches, and is not known "
                        "to libmesh",
                        match->base.unknown_fields[0].tag);
    }
    reading_leave(reader->reading);
    return err;
}
