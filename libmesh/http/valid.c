/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a request. Sentences name the place, never a header's value: it may be a secret. */
#include "http/http.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN = 64 }; /* bytes of a stranger's text in a sentence, escaped */

/* What a byte may be part of: a token (RFC 9110 5.6.2), a path, the value of a header. Every byte of every request is looked up:
 * 4 instructions of a table, 8 to 20 of comparisons. */
enum { TOKEN = 1, PATH = 2, VALUE = 4 };

#define NONE 0
#define V    VALUE
#define PV   (PATH | VALUE)
#define TV   (TOKEN | VALUE)
#define ALL  (TOKEN | PATH | VALUE)

/* clang-format off */
static const uint8_t byte_kinds[256] = {
    [0x00] = NONE, ['\t'] = V,
    [0x20] = V,  ALL, PV,  TV,  ALL, ALL, ALL, ALL, PV,  PV,  ALL, ALL, PV,  ALL, ALL, PV,  /*   ! " # $ % & ' ( ) * + , - . / */
    [0x30] = ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, PV,  PV,  PV,  PV,  PV,  PV,  /* 0-9 : ; < = > ? */
    [0x40] = PV,  ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, /* @ A-O */
    [0x50] = ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, PV,  PV,  PV,  ALL, ALL, /* P-Z [ \ ] ^ _ */
    [0x60] = ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, /* ` a-o */
    [0x70] = ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL, PV,  ALL, PV,  ALL, NONE, /* p-z { | } ~ DEL */
    [0x80] = V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    [0xa0] = V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    [0xc0] = V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
    [0xe0] = V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};
/* clang-format on */

/* Up to the first byte that is of another kind, the NUL at the end at the latest. */
static size_t length_of(const char *text, unsigned kind)
{
    size_t n = 0;

    while (byte_kinds[(unsigned char) text[n]] & kind)
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
    switch (method[0]) {
    case 'G':
        return strcmp(method, "GET") == 0;
    case 'H':
        return strcmp(method, "HEAD") == 0;
    case 'P':
        return strcmp(method, "PUT") == 0;
    case 'D':
        return strcmp(method, "DELETE") == 0;
    case 'O':
        return strcmp(method, "OPTIONS") == 0;
    case 'T':
        return strcmp(method, "TRACE") == 0;
    default:
        return false;
    }
}

int32_t http_valid_method(const char *method, struct fault *fault)
{
    char text[SHOWN], byte[16];
    size_t n = length_of(method, TOKEN);

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
    size_t n = length_of(path, PATH);
    unsigned char c = (unsigned char) path[n];

    if (path[0] != '/' && strcmp(path, "*") != 0)
        return fault_set(fault, MESH_ERR_INVALID,
                         "path \"%s\" must begin with \"/\" (or be \"*\", which OPTIONS may ask for)",
                         shown(path, text));
    if (c == '\0')
        return 0;
    if (c >= 0x7f)
        return fault_set(fault, MESH_ERR_INVALID,
                         "path \"%s\": byte %zu is 0x%02x; what is not ASCII must be percent-encoded, here as %%%02X",
                         shown(path, text), n + 1, c, c);
    return fault_set(fault, MESH_ERR_INVALID,
                     "path \"%s\": byte %zu is %s; spaces, control bytes and \"#\" must be percent-encoded",
                     shown(path, text), n + 1, byte_name(c, byte));
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
static const char *why_not_yours(const char *name, size_t len)
{
    if (text_is(name, len, "connection") || text_is(name, len, "proxy-connection") ||
        text_is(name, len, "keep-alive") || text_is(name, len, "transfer-encoding") || text_is(name, len, "upgrade") ||
        text_is(name, len, "http2-settings"))
        return "it belongs to the connection, which the library looks after";
    if (text_is(name, len, "content-length"))
        return "the library writes it from the length of the body";
    return NULL;
}

/* The length is that of the part that may be in a name. */
static int32_t valid_name(const char *name, size_t n, struct fault *fault)
{
    char text[SHOWN], byte[16];
    const char *why = why_not_yours(name, n);

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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static int32_t valid_value(const char *name, size_t name_len, const char *value, struct fault *fault)
{
    size_t n = length_of(value, VALUE);
    char text[SHOWN], byte[16];

    if (value[n] != '\0')
        return fault_set(fault, MESH_ERR_INVALID,
                         "header \"%s\": byte %zu of the value is %s; control bytes other than tab are not allowed",
                         shown(name, text), n + 1, byte_name((unsigned char) value[n], byte));
    if (n > 0 && (is_blank(value[0]) || is_blank(value[n - 1])))
        return fault_set(fault, MESH_ERR_INVALID,
                         "header \"%s\": the value must not begin or end with a space or a tab", shown(name, text));
    if (text_is(name, name_len, "te") && !text_is(value, n, "trailers"))
        return fault_set(fault, MESH_ERR_INVALID, "header \"te\": only the value \"trailers\" is allowed in HTTP/2");
    return 0;
}

int32_t http_valid_header(const struct mesh_header *header, struct fault *fault)
{
    char text[SHOWN];
    size_t name_len;
    int32_t err;

    if (!header->name)
        return fault_set(fault, MESH_ERR_INVALID, "a header has no name (NULL)");
    name_len = length_of(header->name, TOKEN);
    err = valid_name(header->name, name_len, fault);
    if (err)
        return err;
    if (!header->value)
        return fault_set(fault, MESH_ERR_INVALID, "header \"%s\" has no value (NULL); \"\" is allowed",
                         shown(header->name, text));
    return valid_value(header->name, name_len, header->value, fault);
}
