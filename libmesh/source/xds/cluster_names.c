/* SPDX-License-Identifier: Apache-2.0 */
/* match_typed_subject_alt_names, and the older match_subject_alt_names: what the peer's certificate must name. */
#include <string.h>

#include "source/xds/cluster_tls.h"

static int32_t read_regex(struct reading *reading, const Matcher__RegexMatcher *matcher, struct peer_name *to)
{
    struct fault fault = { 0 };
    int32_t err;

    to->text = mem_strdup(matcher->regex);
    if (!to->text)
        return reading_no_memory(reading);
    err = regex_new(matcher->regex, REGEX_TO_MATCH, &to->regex, &fault);
    if (err == MESH_ERR_NOMEM)
        return reading_no_memory(reading);
    return err ? reading_wrong_at(reading, "safe_regex", "%s", fault.text) : 0;
}

static int32_t read_text(struct reading *reading, const char *field, const char *text, enum peer_name_how how,
                         struct peer_name *to)
{
    if (text[0] == '\0')
        return reading_wrong_at(reading, field, "is empty");
    to->how = how;
    to->text = mem_strdup(text);
    return to->text ? 0 : reading_no_memory(reading);
}

static int32_t read_matcher(struct reading *reading, const Matcher__StringMatcher *matcher, uint32_t types,
                            struct peer_name *to)
{
    to->types = types;
    to->ignore_case = matcher->ignore_case;
    switch (matcher->match_pattern_case) {
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_EXACT:
        return read_text(reading, "exact", matcher->exact, PEER_NAME_EXACT, to);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_PREFIX:
        return read_text(reading, "prefix", matcher->prefix, PEER_NAME_PREFIX, to);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_SUFFIX:
        return read_text(reading, "suffix", matcher->suffix, PEER_NAME_SUFFIX, to);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_CONTAINS:
        return read_text(reading, "contains", matcher->contains, PEER_NAME_CONTAINS, to);
    case MATCHER__STRING_MATCHER__MATCH_PATTERN_SAFE_REGEX:
        to->how = PEER_NAME_REGEX;
        return read_regex(reading, matcher->safe_regex, to);
    default:
        return reading_wrong(reading, "none of exact, prefix, suffix, contains and safe_regex");
    }
}

static int32_t types_of(struct reading *reading, const Tls__SubjectAltNameMatcher *matcher, uint32_t *types)
{
    switch (matcher->san_type) {
    case TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__EMAIL:
        *types = PEER_NAME_EMAIL;
        return 0;
    case TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__DNS:
        *types = PEER_NAME_DNS;
        return 0;
    case TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__URI:
        *types = PEER_NAME_URI;
        return 0;
    case TLS__SUBJECT_ALT_NAME_MATCHER__SAN_TYPE__IP_ADDRESS:
        *types = PEER_NAME_IP;
        return 0;
    default:
        return reading_wrong_at(reading, "san_type", "%d is none of EMAIL, DNS, URI and IP_ADDRESS",
                                (int) matcher->san_type);
    }
}

static int32_t read_typed_one(struct reading *reading, const Tls__SubjectAltNameMatcher *matcher, struct peer_name *to)
{
    uint32_t types = 0;
    int32_t err = types_of(reading, matcher, &types);

    if (err)
        return err;
    if (!matcher->matcher)
        return reading_wrong_at(reading, "matcher", "is missing");
    reading_enter(reading, "matcher");
    err = read_matcher(reading, matcher->matcher, types, to);
    reading_leave(reading);
    return err;
}

static int32_t read_typed(struct reading *reading, const Tls__CertificateValidationContext *context,
                          struct peer_names *names)
{
    int32_t err = 0;

    for (size_t i = 0; i < context->n_match_typed_subject_alt_names && !err; i++) {
        reading_enter_item(reading, "match_typed_subject_alt_names", i);
        err = read_typed_one(reading, context->match_typed_subject_alt_names[i], &names->items[i]);
        reading_leave(reading);
    }
    return err;
}

static int32_t read_older(struct reading *reading, const Tls__CertificateValidationContext *context,
                          struct peer_names *names)
{
    int32_t err = 0;

    for (size_t i = 0; i < context->n_match_subject_alt_names && !err; i++) {
        reading_enter_item(reading, "match_subject_alt_names", i);
        err = read_matcher(reading, context->match_subject_alt_names[i], PEER_NAME_ANY, &names->items[i]);
        reading_leave(reading);
    }
    return err;
}

int32_t cluster_read_peer_names(struct reading *reading, const Tls__CertificateValidationContext *context,
                                struct peer_names **out)
{
    size_t typed = context->n_match_typed_subject_alt_names, older = context->n_match_subject_alt_names;

    *out = NULL;
    if (typed > 0 && older > 0)
        return reading_wrong_at(reading, "match_subject_alt_names",
                                "stands beside match_typed_subject_alt_names; one of the two is allowed");
    if (typed + older == 0)
        return 0;
    *out = peer_names_new(typed + older);
    if (!*out)
        return reading_no_memory(reading);
    return typed > 0 ? read_typed(reading, context, *out) : read_older(reading, context, *out);
}
