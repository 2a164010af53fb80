/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a request. Sentences name the place, never a header's value: it may be a secret. */
#include "http/http.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 64 }; /* bytes of a stranger's text in a sentence, escaped */

static bool is_token_byte(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* Of the first byte that is none; the length when all are. */
static size_t token_length(const char *text)
{
    size_t n = 0;

    while (is_token_byte((unsigned char) text[n]))
        n++;
    return n;
}

static const char *shown(const char *text, char out[SHOWN])
{
    return text_printable(text, strlen(text), out, SHOWN);
}

static const char *byte_name(unsigned char c, char out[16])
{
    if (c == '\r' || c == '\n')
        snprintf(out, 16, c == '\r' ? "CR" : "LF");
    else if (c == ' ' || c == '\t')
        snprintf(out, 16, c == ' ' ? "a space" : "a tab");
    else if (c > ' ' && c < 0x7f)
        snprintf(out, 16, "'%c'", c);
    else
        snprintf(out, 16, "0x%02x", c);
    return out;
}

/* ---- method ---- */

bool http_method_idempotent(const char *method)
{
    static const char *const idempotent[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE" };

    for (size_t i = 0; i < COUNT_OF(idempotent); i++)
        if (strcmp(method, idempotent[i]) == 0)
            return true;
    return false;
}

int32_t http_valid_method(const char *method, struct fault *fault)
{
    char text[SHOWN], byte[16];
    size_t n = token_length(method);

    if (method[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "the method is empty; NULL stands for GET");
    if (method[n] != '\0')
        return fault_set(fault, MESH_ERR_INVALID,
                         "method \"%s\": byte %zu is %s; letters, digits and !#$%%&'*+-.^_`|~ are allowed",
                         shown(method, text), n + 1, byte_name((unsigned char) method[n], byte));
    if (strcmp(method, "CONNECT") == 0)
        return fault_set(fault, MESH_ERR_INVALID, "method \"CONNECT\" opens a tunnel, which requests cannot use");
    return 0;
}

/* ---- path ---- */

int32_t http_valid_path(const char *path, struct fault *fault)
{
    char text[SHOWN], byte[16];

    if (path[0] != '/' && strcmp(path, "*") != 0)
        return fault_set(fault, MESH_ERR_INVALID,
                         "path \"%s\" must begin with \"/\" (or be \"*\", which OPTIONS may ask for)",
                         shown(path, text));
    for (size_t i = 0; path[i] != '\0'; i++) {
        unsigned char c = (unsigned char) path[i];

        if (c >= 0x7f)
            return fault_set(
                fault, MESH_ERR_INVALID,
                "path \"%s\": byte %zu is 0x%02x; what is not ASCII must be percent-encoded, here as %%%02X",
                shown(path, text), i + 1, c, c);
        if (c <= ' ' || c == '#')
            return fault_set(fault, MESH_ERR_INVALID,
                             "path \"%s\": byte %zu is %s; spaces, control bytes and \"#\" must be percent-encoded",
                             shown(path, text), i + 1, byte_name(c, byte));
    }
    return 0;
}

/* ---- authority ---- */

/* RFC 3986 3.2.2: reg-name and IPv4address; within brackets also ":". */
static bool is_host_byte(unsigned char c, bool in_brackets)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr(in_brackets ? ".:%-_~" : "-._~%!$&'()*+,;=", c) != NULL;
}

static size_t host_length(const char *authority)
{
    bool in_brackets = authority[0] == '[';
    size_t n = in_brackets;

    while (is_host_byte((unsigned char) authority[n], in_brackets))
        n++;
    return in_brackets && authority[n] == ']' ? n + 1 : n;
}

static bool is_port(const char *text)
{
    uint64_t port;

    return text_to_u64(text, strlen(text), &port) && port <= UINT16_MAX;
}

int32_t http_valid_authority(const char *authority, struct fault *fault)
{
    char text[SHOWN], byte[16];
    size_t n = host_length(authority);

    if (n == 0 && (authority[0] == '\0' || authority[0] == ':'))
        return fault_set(fault, MESH_ERR_INVALID, "authority \"%s\" has no host; \"host\" or \"host:port\" is allowed",
                         shown(authority, text));
    if (authority[0] == '[' && (n < 4 || authority[n - 1] != ']'))
        return fault_set(fault, MESH_ERR_INVALID,
                         "authority \"%s\": \"[\" must enclose an IPv6 address, as in [::1]:80",
                         shown(authority, text));
    if (authority[n] == '\0')
        return 0;
    if (authority[n] != ':')
        return fault_set(fault, MESH_ERR_INVALID,
                         "authority \"%s\": byte %zu is %s; \"host\" or \"host:port\" is allowed, without user or path",
                         shown(authority, text), n + 1, byte_name((unsigned char) authority[n], byte));
    if (!is_port(authority + n + 1))
        return fault_set(fault, MESH_ERR_INVALID, "authority \"%s\": the port must be a number from 0 to 65535",
                         shown(authority, text));
    return 0;
}

/* ---- headers ---- */

/* RFC 9113 8.2.2, and what the library writes itself. */
static const char *why_not_yours(const char *name)
{
    static const char *const connection[] = { "connection",        "proxy-connection", "keep-alive",
                                              "transfer-encoding", "upgrade",          "http2-settings" };

    for (size_t i = 0; i < COUNT_OF(connection); i++)
        if (text_equal_nocase(name, connection[i]))
            return "it belongs to the connection, which the library looks after";
    if (text_equal_nocase(name, "content-length"))
        return "the library writes it from the length of the body";
    return NULL;
}

static int32_t valid_name(const char *name, struct fault *fault)
{
    char text[SHOWN], byte[16];
    const char *why = why_not_yours(name);
    size_t n = token_length(name);

    if (name[0] == '\0')
        return fault_set(fault, MESH_ERR_INVALID, "a header has an empty name");
    if (name[0] == ':')
        return fault_set(
            fault, MESH_ERR_INVALID,
            "header \"%s\": names that begin with \":\" belong to the protocol; method, path and authority "
            "have fields of their own",
            shown(name, text));
    if (name[n] != '\0')
        return fault_set(fault, MESH_ERR_INVALID,
                         "header name \"%s\": byte %zu is %s; letters, digits and !#$%%&'*+-.^_`|~ are allowed",
                         shown(name, text), n + 1, byte_name((unsigned char) name[n], byte));
    if (why)
        return fault_set(fault, MESH_ERR_INVALID, "header \"%s\" must not be set: %s", shown(name, text), why);
    return 0;
}

static bool is_value_byte(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int32_t valid_value(const char *name, const char *value, struct fault *fault)
{
    size_t len = strlen(value), n = 0;
    char text[SHOWN], byte[16];

    while (is_value_byte((unsigned char) value[n]))
        n++;
    if (n != len)
        return fault_set(fault, MESH_ERR_INVALID,
                         "header \"%s\": byte %zu of the value is %s; control bytes other than tab are not allowed",
                         shown(name, text), n + 1, byte_name((unsigned char) value[n], byte));
    if (len > 0 && (is_blank(value[0]) || is_blank(value[len - 1])))
        return fault_set(fault, MESH_ERR_INVALID,
                         "header \"%s\": the value must not begin or end with a space or a tab", shown(name, text));
    if (text_equal_nocase(name, "te") && !text_equal_nocase(value, "trailers"))
        return fault_set(fault, MESH_ERR_INVALID, "header \"te\": only the value \"trailers\" is allowed in HTTP/2");
    return 0;
}

int32_t http_valid_header(const struct mesh_header *header, struct fault *fault)
{
    char text[SHOWN];
    int32_t err;

    if (!header->name)
        return fault_set(fault, MESH_ERR_INVALID, "a header has no name (NULL)");
    err = valid_name(header->name, fault);
    if (err)
        return err;
    if (!header->value)
        return fault_set(fault, MESH_ERR_INVALID, "header \"%s\" has no value (NULL); \"\" is allowed",
                         shown(header->name, text));
    return valid_value(header->name, header->value, fault);
}
