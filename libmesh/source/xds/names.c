/* SPDX-License-Identifier: Apache-2.0 */
/* Names of services and resources. */
#include "source/xds/names.h"

#include <stdlib.h>
#include <string.h>

static const char xdstp[] = "xdstp://";

enum { QUOTE = 96 };

static int32_t no_memory(struct fault *fault)
{
    return fault_set(fault, MESH_ERR_NOMEM, "out of memory for a name");
}

/* The text, with a NUL at its end; NULL: out of memory. */
static char *finish(struct buf *text, bool done)
{
    char *copy = done ? mem_strndup(buf_len(text) > 0 ? (const char *) buf_bytes(text) : "", buf_len(text)) : NULL;

    buf_free(text);
    return copy;
}

/* ---- escapes ---- */

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

/* RFC 3986 section 3.3: pchar, and '/'. */
static bool is_path(char c)
{
    return is_unreserved(c) || (c && strchr("!$&'()*+,;=:@/", c));
}

static bool put_escape(struct buf *out, unsigned char c)
{
    return buf_printf(out, "%%%02X", c);
}

/* For what has no escapes yet. */
static bool put_escaped(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (is_path(*text) ? !buf_append(out, text, 1) : !put_escape(out, (unsigned char) *text))
            return false;
    return true;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at the beginning stands for; -1: there is none. */
static int escaped(const char *text, size_t len)
{
    int high = len > 2 && text[0] == '%' ? digit_of(text[1]) : -1;
    int low = high >= 0 ? digit_of(text[2]) : -1;

    return low < 0 ? -1 : high << 4 | low;
}

static bool put_byte(struct buf *out, char c)
{
    return is_unreserved(c) ? buf_append(out, &c, 1) : put_escape(out, (unsigned char) c);
}

/* For what may have some: those of letters that need none are taken away, the others are in capitals. */
static bool put_normal(struct buf *out, const char *text, size_t len)
{
    bool done = true;

    for (size_t at = 0; done && at < len;) {
        int byte = escaped(text + at, len - at);

        done = byte < 0 ? buf_append(out, text + at, 1) : put_byte(out, (char) byte);
        at += byte < 0 ? 1 : 3;
    }
    return done;
}

/* ---- one spelling ---- */

struct parameter {
    const char *text;
    size_t key, len; /* bytes of the key, of all */
    size_t order;    /* as it stood */
};

static int compare_keys(const struct parameter *a, const struct parameter *b)
{
    int order = memcmp(a->text, b->text, a->key < b->key ? a->key : b->key);

    return order ? order : (a->key > b->key) - (a->key < b->key);
}

static int compare(const void *a, const void *b)
{
    const struct parameter *left = a, *right = b;
    int order = compare_keys(left, right);

    return order ? order : (left->order > right->order) - (left->order < right->order);
}

static size_t split(const char *query, size_t len, struct parameter *out)
{
    const char *end = query + len;
    size_t n = 0;

    while (query < end) {
        const char *next = memchr(query, '&', (size_t) (end - query));
        size_t here = (size_t) ((next ? next : end) - query);
        const char *equals = memchr(query, '=', here);

        out[n] = (struct parameter){ query, equals ? (size_t) (equals - query) : here, here, n };
        n += here > 0;
        query += here + 1;
    }
    return n;
}

static bool put_parameters(struct buf *out, const struct parameter *parameters, size_t n)
{
    const char *between = "?";

    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && compare_keys(&parameters[i], &parameters[i + 1]) == 0)
            continue;
        if (!buf_append_text(out, between) || !buf_append(out, parameters[i].text, parameters[i].len))
            return false;
        between = "&";
    }
    return true;
}

/* Of a query whose escapes are normal already. */
static bool put_query(struct buf *out, const char *query, size_t len)
{
    struct parameter *parameters = mem_array(len / 2 + 1, sizeof *parameters);
    size_t n;
    bool done;

    if (!parameters)
        return false;
    n = split(query, len, parameters);
    qsort(parameters, n, sizeof *parameters, compare);
    done = put_parameters(out, parameters, n);
    mem_free(parameters);
    return done;
}

char *names_canonical(const char *name)
{
    size_t len = strcspn(name, "#"), before;
    struct buf normal = { 0 }, out = { 0 };
    const char *text;
    bool done;

    if (!text_starts_with(name, xdstp))
        return mem_strdup(name);
    done = put_normal(&normal, name, len);
    text = (const char *) buf_bytes(&normal);
    len = buf_len(&normal);
    before = text && memchr(text, '?', len) ? (size_t) ((const char *) memchr(text, '?', len) - text) : len;
    done = done && buf_append(&out, text, before);
    if (before < len)
        done = done && put_query(&out, text + before + 1, len - before - 1);
    buf_free(&normal);
    return finish(&out, done);
}

/* ---- authorities ---- */

static int32_t find(const struct bootstrap *bootstrap, const char *name, size_t len,
                    const struct bootstrap_authority **out, struct fault *fault)
{
    char shown[QUOTE];

    for (size_t i = 0; i < bootstrap->n_authorities; i++) {
        const char *known = bootstrap->authorities[i].name;

        if (strlen(known) != len || memcmp(known, name, len) != 0)
            continue;
        *out = &bootstrap->authorities[i];
        return 0;
    }
    return fault_set(fault, MESH_ERR_NO_ROUTE, "the bootstrap has no authority \"%s\"",
                     text_printable(name, len, shown, sizeof shown));
}

/* What stands in a name between authority and id. */
static bool fits_type(const char *path, enum xds_type type)
{
    const char *url = strchr(xds_type_url(type), '/') + 1;

    return text_starts_with(path, url) && strchr("/?#", path[strlen(url)]) != NULL;
}

int32_t names_find_authority(const struct bootstrap *bootstrap, enum xds_type type, const char *name,
                             const struct bootstrap_authority **out, struct fault *fault)
{
    const char *authority = name + strlen(xdstp);
    char shown[QUOTE];
    size_t len;

    *out = NULL;
    if (!text_starts_with(name, xdstp))
        return 0;
    len = strcspn(authority, "/?#");
    if (authority[len] != '/' || !fits_type(authority + len + 1, type))
        return fault_set(fault, MESH_ERR_INVALID,
                         "\"%s\" is no name of a resource of the type %s: xdstp://authority/%s/name",
                         text_printable(name, strlen(name), shown, sizeof shown), xds_type_name(type),
                         strchr(xds_type_url(type), '/') + 1);
    return find(bootstrap, authority, len, out, fault);
}

const struct bootstrap_servers *names_servers(const struct bootstrap *bootstrap,
                                              const struct bootstrap_authority *authority)
{
    return authority && authority->servers.n > 0 ? &authority->servers : &bootstrap->servers;
}

/* ---- services ---- */

/* Cuts "xds:" and an authority off. */
static int32_t read_text(const struct bootstrap *bootstrap, const char **name, const struct bootstrap_authority **out,
                         struct fault *fault)
{
    const char *text = *name;
    size_t len;

    *out = NULL;
    if (!text_starts_with(text, "xds:"))
        return 0;
    text += strlen("xds:");
    if (!text_starts_with(text, "//")) {
        *name = text + (*text == '/');
        return 0;
    }
    text += 2;
    len = strcspn(text, "/");
    *name = text + len + (text[len] == '/');
    return len > 0 ? find(bootstrap, text, len, out, fault) : 0;
}

/* "%s" is the name, as a path where the template makes a name of xdstp. */
static char *fill_template(const char *template, const char *name)
{
    bool escapes = text_starts_with(template, "xdstp:");
    struct buf text = { 0 };
    const char *mark;
    bool done = true;

    for (; done && (mark = strstr(template, "%s")); template = mark + 2)
        done = buf_append(&text, template, (size_t) (mark - template)) &&
               (escapes ? put_escaped(&text, name) : buf_append_text(&text, name));
    return finish(&text, done && buf_append_text(&text, template));
}

static char *listener_of(const struct bootstrap *bootstrap, const struct bootstrap_authority *authority,
                         const char *name)
{
    char *filled = fill_template(authority ? authority->listener_template : bootstrap->listener_template, name);
    char *canonical = filled ? names_canonical(filled) : NULL;

    mem_free(filled);
    return canonical;
}

int32_t names_of_service(const struct bootstrap *bootstrap, const char *text, struct names_service *out,
                         struct fault *fault)
{
    const struct bootstrap_authority *asked;
    const char *name = text, *slash;
    char shown[QUOTE];
    int32_t err;

    *out = (struct names_service){ .authority = NULL };
    err = read_text(bootstrap, &name, &asked, fault);
    slash = strrchr(name, '/');
    if (!err && (*name == '\0' || (slash && slash[1] == '\0')))
        err = fault_set(fault, MESH_ERR_INVALID, "\"%s\" has no name of a service: xds:///users",
                        text_printable(text, strlen(text), shown, sizeof shown));
    if (err)
        return err;
    out->listener = listener_of(bootstrap, asked, name);
    out->host = mem_strdup(slash ? slash + 1 : name);
    if (out->listener && out->host)
        err = names_find_authority(bootstrap, XDS_LISTENER, out->listener, &out->authority, fault);
    else
        err = no_memory(fault);
    if (err)
        names_service_clear(out);
    return err;
}

void names_service_clear(struct names_service *service)
{
    mem_free(service->listener);
    mem_free(service->host);
    *service = (struct names_service){ .authority = NULL };
}
