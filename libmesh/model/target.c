/* SPDX-License-Identifier: Apache-2.0 */
/* Target URIs taken apart: scheme, then what the scheme wants behind it. */
#include "model/model.h"

#include <string.h>

/* RFC 1035: a name and a label of it. */
enum { NAME_MAX_LEN = 253, LABEL_MAX_LEN = 63 };
/* How much of a wrong target a sentence repeats. */
enum { QUOTE = 72 };

#define SCHEMES "http, h2c, https, h2 (srv+ in front: an SRV name), h2c+unix, http+unix, xds, dns, ipv4, ipv6, unix"

static const struct {
    const char *name;
    uint16_t port;
    bool tls;
} protocols[] = {
    [MODEL_HTTP] = { "http", 80, false },
    [MODEL_H2C] = { "h2c", 80, false },
    [MODEL_HTTPS] = { "https", 443, true },
    [MODEL_H2] = { "h2", 443, true },
};

/* What a scheme means. Those that end in "://" have an authority behind it, the others are gRPC's and unix sockets. */
struct scheme {
    const char *prefix;
    enum model_target_kind kind;
    bool bare; /* the caller's protocol, not the one here */
    enum model_protocol protocol;
};

static const struct scheme schemes[] = {
    { "http://", TARGET_HOST, false, MODEL_HTTP },      { "h2c://", TARGET_HOST, false, MODEL_H2C },
    { "https://", TARGET_HOST, false, MODEL_HTTPS },    { "h2://", TARGET_HOST, false, MODEL_H2 },
    { "srv+http://", TARGET_SRV, false, MODEL_HTTP },   { "srv+h2c://", TARGET_SRV, false, MODEL_H2C },
    { "srv+https://", TARGET_SRV, false, MODEL_HTTPS }, { "srv+h2://", TARGET_SRV, false, MODEL_H2 },
    { "http+unix:", TARGET_UNIX, false, MODEL_HTTP },   { "h2c+unix:", TARGET_UNIX, false, MODEL_H2C },
    { "unix:", TARGET_UNIX, false, MODEL_H2C },         { "xds://", TARGET_XDS, true, MODEL_HTTP },
    { "dns:///", TARGET_HOST, false, MODEL_H2C },       { "ipv4:", TARGET_ADDRESS, false, MODEL_H2C },
    { "ipv6:", TARGET_ADDRESS, false, MODEL_H2C },
};

const char *model_protocol_name(enum model_protocol protocol)
{
    return protocols[protocol].name;
}

bool model_protocol_tls(enum model_protocol protocol)
{
    return protocols[protocol].tls;
}

uint16_t model_protocol_port(enum model_protocol protocol)
{
    return protocols[protocol].port;
}

bool model_protocol_parse(const char *name, enum model_protocol *out)
{
    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        if (text_equal_nocase(name, protocols[i].name)) {
            *out = (enum model_protocol) i;
            return true;
        }
    }
    return false;
}

/* ---- sentences ---- */

static int32_t wrong(struct fault *fault, const char *text, const char *why)
{
    char quoted[QUOTE];

    text_printable(text, strlen(text), quoted, sizeof quoted);
    return fault_set(fault, MESH_ERR_INVALID, "target \"%s\": %s", quoted, why);
}

static int32_t no_memory(struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
}

/* ---- host and port ---- */

static bool label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool all_digits(const char *text, size_t len)
{
    uint64_t ignored;

    return text_to_u64(text, len, &ignored);
}

/* NULL: a name that can be asked for. Its last label is no number, else "10.0.0.256" would be one. */
static const char *name_problem(const char *name, size_t len)
{
    size_t label = 0;

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0)
        return "the host is missing";
    if (len > NAME_MAX_LEN)
        return "the host name is longer than 253 characters";
    for (size_t i = 0; i <= len; i++) {
        if (i < len && name[i] != '.') {
            if (!label_char(name[i]))
                return "a host name has letters, digits, '-', '_' and '.' only (others as punycode, xn--...)";
            continue;
        }
        if (i == label)
            return "the host name has an empty part between dots";
        if (i - label > LABEL_MAX_LEN)
            return "a part of the host name is longer than 63 characters";
        if (i == len && all_digits(name + label, i - label))
            return "the host is neither an address nor a name";
        label = i + 1;
    }
    return NULL;
}

/* "[host]:port" and "host:port" cut in two. */
struct authority {
    const char *host, *port; /* port NULL: none written */
    size_t host_len, port_len;
    bool bracketed;
};

static const char *split_bracketed(const char *text, size_t len, struct authority *out)
{
    const char *close = memchr(text, ']', len);

    if (!close)
        return "the ']' after an IPv6 address is missing";
    out->bracketed = true;
    out->host = text + 1;
    out->host_len = (size_t) (close - out->host);
    if (close + 1 == text + len)
        return NULL;
    if (close[1] != ':')
        return "only \":port\" may stand behind ']'";
    out->port = close + 2;
    out->port_len = (size_t) (text + len - out->port);
    return NULL;
}

static const char *split_authority(const char *text, size_t len, struct authority *out)
{
    const char *colon;

    *out = (struct authority){ .host = text, .host_len = len };
    if (len > 0 && text[0] == '[')
        return split_bracketed(text, len, out);
    colon = memchr(text, ':', len);
    if (!colon)
        return NULL;
    out->host_len = (size_t) (colon - text);
    out->port = colon + 1;
    out->port_len = len - out->host_len - 1;
    if (memchr(out->port, ':', out->port_len))
        return "an IPv6 address stands in brackets: [::1]:80";
    return NULL;
}

static const char *read_port(const struct authority *authority, struct model_target *out)
{
    uint64_t port;

    out->port = protocols[out->protocol].port;
    if (!authority->port)
        return NULL;
    if (!text_to_u64(authority->port, authority->port_len, &port) || port == 0 || port > UINT16_MAX)
        return "the port is a number from 1 to 65535";
    out->port = (uint16_t) port;
    out->port_written = true;
    return NULL;
}

/* The host becomes an address if it is one. */
static const char *read_host(const struct authority *authority, struct model_target *out)
{
    const char *host = authority->host;
    size_t len = authority->host_len;
    bool literal =
        len > 0 && (authority->bracketed || !memchr(host, ':', len)) && addr_parse(&out->addr, host, len, out->port);

    if (literal && (out->addr.family == ADDR_IPV6) == authority->bracketed) {
        out->kind = TARGET_ADDRESS;
        return NULL;
    }
    if (authority->bracketed)
        return "there is no IPv6 address in the brackets";
    if (out->kind == TARGET_ADDRESS)
        return "an address is wanted here: ipv4:10.0.0.1:80, ipv6:[::1]:80";
    return name_problem(host, len);
}

/* Names are compared and hashed as text later: one spelling. */
static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char) (*text + ('a' - 'A'));
}

static int32_t keep_host(const char *host, size_t len, struct model_target *out, struct fault *fault)
{
    out->host = mem_strndup(host, len);
    if (!out->host)
        return no_memory(fault);
    if (out->kind == TARGET_HOST || out->kind == TARGET_SRV)
        lower(out->host);
    return 0;
}

static int32_t parse_place(const char *text, const char *rest, struct model_target *out, struct fault *fault)
{
    size_t len = strcspn(rest, "/?#");
    struct authority authority;
    const char *problem;

    if (rest[len] != '\0' && strcmp(rest + len, "/") != 0)
        return wrong(fault, text, "it ends with host and port; paths belong to requests");
    if (memchr(rest, '@', len))
        return wrong(fault, text, "user names and passwords have no place in it");
    problem = split_authority(rest, len, &authority);
    if (!problem)
        problem = read_port(&authority, out);
    if (!problem)
        problem = read_host(&authority, out);
    if (problem)
        return wrong(fault, text, problem);
    return keep_host(authority.host, authority.host_len, out, fault);
}

static int32_t parse_srv(const char *text, const char *rest, struct model_target *out, struct fault *fault)
{
    size_t len = strcspn(rest, "/?#");
    const char *problem;

    if (memchr(rest, ':', len))
        return wrong(fault, text, "an SRV name has no port, its answers have");
    if (rest[len] != '\0' && strcmp(rest + len, "/") != 0)
        return wrong(fault, text, "it ends with the name; paths belong to requests");
    problem = name_problem(rest, len);
    if (problem)
        return wrong(fault, text, problem);
    return keep_host(rest, len, out, fault);
}

/* "unix:/path" and gRPC's other spelling, "unix:///path". */
static int32_t parse_unix(const char *text, const char *rest, struct model_target *out, struct fault *fault)
{
    struct addr addr;
    int32_t err;

    if (text_starts_with(rest, "//")) {
        rest += 2;
        if (rest[0] != '/')
            return wrong(fault, text, "a unix socket's path follows: unix:/run/users.sock");
    }
    if (!addr_unix(&addr, rest))
        return wrong(fault, text, rest[0] ? "the path of a unix socket has at most 107 bytes" : "the path is missing");
    err = keep_host(rest, strlen(rest), out, fault);
    if (err)
        return err;
    addr_unix(&out->addr, out->host);
    return 0;
}

/* "/users" after "xds://", or "authority/users": the host is the name, or all of it with "//" in front. */
static int32_t parse_xds(const char *text, const char *rest, struct model_target *out, struct fault *fault)
{
    const char *slash = strchr(rest, '/');
    size_t before = strlen("//");

    if (!slash || slash[1] == '\0')
        return wrong(fault, text, "the name is missing: xds:///users");
    if (slash == rest)
        return keep_host(rest + 1, strlen(rest + 1), out, fault);
    return keep_host(rest - before, strlen(rest) + before, out, fault);
}

/* gRPC's ipv4: and ipv6:, the latter without brackets too where no port follows. */
static int32_t parse_literal(const char *text, const char *rest, struct model_target *out, struct fault *fault)
{
    out->port = protocols[out->protocol].port;
    if (strchr(rest, ','))
        return wrong(fault, text, "one address stands here; several are the endpoints of a service");
    if (rest[0] != '[' && addr_parse(&out->addr, rest, strlen(rest), out->port) && out->addr.family == ADDR_IPV6)
        return keep_host(rest, strlen(rest), out, fault);
    return parse_place(text, rest, out, fault);
}

/* ---- schemes ---- */

static const struct scheme *find_scheme(const char *text)
{
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i].prefix);

        if (text_equal_nocase_n(text, strnlen(text, len), schemes[i].prefix, len))
            return &schemes[i];
    }
    return NULL;
}

/* Else what stands before the first colon would be taken for a host. */
static bool looks_like_scheme(const char *text)
{
    return strstr(text, "://") || memchr(text, '+', strcspn(text, ":")) || text_starts_with(text, "dns:") ||
           text_starts_with(text, "xds:");
}

bool model_target_is_name(const char *text)
{
    struct addr addr;

    return !find_scheme(text) && !looks_like_scheme(text) && !addr_parse(&addr, text, strlen(text), 80);
}

static int32_t unknown_scheme(const char *text, struct fault *fault)
{
    char quoted[QUOTE];

    if (text_starts_with(text, "dns:"))
        return wrong(fault, text, "it is written dns:///host:port; DNS servers are set by dns.servers");
    text_printable(text, strlen(text), quoted, sizeof quoted);
    return fault_set(fault, MESH_ERR_INVALID, "target \"%s\": unknown scheme; there are " SCHEMES, quoted);
}

static int32_t parse(const char *text, struct model_target *out, struct fault *fault)
{
    const struct scheme *scheme = find_scheme(text);
    const char *rest;

    if (!scheme && looks_like_scheme(text))
        return unknown_scheme(text, fault);
    out->kind = TARGET_HOST;
    if (!scheme)
        return parse_place(text, text, out, fault);
    out->kind = scheme->kind;
    if (!scheme->bare)
        out->protocol = scheme->protocol;
    rest = text + strlen(scheme->prefix);
    switch (scheme->kind) {
    case TARGET_ADDRESS:
        return parse_literal(text, rest, out, fault);
    case TARGET_SRV:
        return parse_srv(text, rest, out, fault);
    case TARGET_UNIX:
        return parse_unix(text, rest, out, fault);
    case TARGET_XDS:
        return parse_xds(text, rest, out, fault);
    case TARGET_HOST:
        break;
    }
    return parse_place(text, rest, out, fault);
}

int32_t model_target_parse(const char *text, enum model_protocol bare_protocol, struct model_target *out,
                           struct fault *fault)
{
    int32_t err;

    *out = (struct model_target){ .protocol = bare_protocol };
    if (text[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "the target is empty; write h2c://host:port, or one of " SCHEMES);
    err = parse(text, out, fault);
    if (err)
        model_target_free(out);
    return err;
}

void model_target_free(struct model_target *target)
{
    mem_free(target->host);
    *target = (struct model_target){ 0 };
}

void model_target_set_protocol(struct model_target *target, enum model_protocol protocol)
{
    target->protocol = protocol;
    if (target->port == 0 || target->port_written)
        return;
    target->port = protocols[protocol].port;
    if (target->kind == TARGET_ADDRESS)
        target->addr.port = target->port;
}
