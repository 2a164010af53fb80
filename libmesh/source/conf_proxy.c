/* SPDX-License-Identifier: Apache-2.0 */
/* Proxies: what a proxy may be called, and what others' variables (https_proxy, NO_PROXY, ...) say about a target. */
#include "source/conf.h"

#include <stdlib.h>
#include <string.h>

static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };

/* Behind "user:password@". */
static const char *place_of(const char *authority)
{
    const char *at = strrchr(authority, '@');

    return at ? at + 1 : authority;
}

static bool is_place(const char *place)
{
    struct model_target target;
    struct buf uri = { 0 };
    bool ok = buf_printf(&uri, "http://%s", place) &&
              model_target_parse((const char *) buf_bytes(&uri), MODEL_HTTP, &target, NULL) == 0;

    if (ok)
        model_target_free(&target);
    buf_free(&uri);
    return ok;
}

bool proxy_is_valid(const char *text)
{
    if (strcmp(text, "off") == 0 || strcmp(text, "env") == 0)
        return true;
    for (const char *c = text; *c; c++)
        if ((unsigned char) *c <= ' ' || *c == 0x7f)
            return false;
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (text_starts_with(text, schemes[i]))
            return is_place(place_of(text + strlen(schemes[i])));
    return false;
}

/* ---- the variables ---- */

/* As curl: the lower-case name first; HTTP_PROXY is not read, in CGI programs a client's header sets it. */
static bool take(char **out, const char *name, const char *other_name)
{
    const char *value = getenv(name);

    if ((!value || !*value) && other_name)
        value = getenv(other_name);
    if (!value || !*value)
        return true;
    *out = mem_strdup(value);
    return *out != NULL;
}

bool proxies_take(struct proxies *proxies)
{
    struct proxies now = { .taken = true };

    if (proxies->taken)
        return true;
    if (!take(&now.https, "https_proxy", "HTTPS_PROXY") || !take(&now.http, "http_proxy", NULL) ||
        !take(&now.all, "all_proxy", "ALL_PROXY") || !take(&now.none, "no_proxy", "NO_PROXY")) {
        proxies_clear(&now);
        return false;
    }
    *proxies = now;
    return true;
}

static bool copy(const char *from, char **to)
{
    *to = from ? mem_strdup(from) : NULL;
    return !from || *to;
}

bool proxies_copy(const struct proxies *from, struct proxies *to)
{
    to->taken = from->taken;
    return copy(from->https, &to->https) && copy(from->http, &to->http) && copy(from->all, &to->all) &&
           copy(from->none, &to->none);
}

void proxies_clear(struct proxies *proxies)
{
    mem_free(proxies->https);
    mem_free(proxies->http);
    mem_free(proxies->all);
    mem_free(proxies->none);
    *proxies = (struct proxies){ 0 };
}

/* ---- for one target ---- */

/* "example.com" and ".example.com" both mean the domain and all below it. */
static bool name_matches(const char *host, const char *domain, size_t len)
{
    size_t host_len = strlen(host);

    if (len > 0 && domain[0] == '.') {
        domain++;
        len--;
    }
    if (host_len > 0 && host[host_len - 1] == '.')
        host_len--;
    if (len == 0 || len > host_len || !text_equal_nocase_n(host + host_len - len, len, domain, len))
        return false;
    return len == host_len || host[host_len - len - 1] == '.';
}

static bool entry_matches(const struct model_target *target, const char *entry, size_t len)
{
    struct cidr cidr;

    if (len == 1 && entry[0] == '*')
        return true;
    if (target->kind != TARGET_ADDRESS)
        return name_matches(target->host, entry, len);
    return cidr_parse(entry, len, &cidr) && cidr_holds(&cidr, &target->addr);
}

/* Entries are separated by commas, spaces or both. */
static bool is_exempt(const struct model_target *target, const char *none)
{
    while (none && *none) {
        size_t len = strcspn(none, ", \t");

        if (len > 0 && entry_matches(target, none, len))
            return true;
        none += len + (none[len] != '\0');
    }
    return false;
}

bool proxies_of(const struct proxies *proxies, const struct model_target *target, char **out)
{
    const char *own = target->protocol == MODEL_HTTPS ? proxies->https : proxies->http;
    const char *proxy = own ? own : proxies->all;
    struct buf text = { 0 };

    *out = NULL;
    if (target->protocol != MODEL_HTTP && target->protocol != MODEL_HTTPS)
        return true;
    if (target->kind != TARGET_HOST && target->kind != TARGET_ADDRESS)
        return true;
    if (!proxy || is_exempt(target, proxies->none))
        return true;
    if (!buf_printf(&text, "%s%s", strstr(proxy, "://") ? "" : "http://", proxy))
        return false;
    *out = mem_strdup((const char *) buf_bytes(&text));
    buf_free(&text);
    return *out != NULL;
}
