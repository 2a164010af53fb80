/* SPDX-License-Identifier: Apache-2.0 */
/* Zones by network: reading the list, finding the narrowest network that holds an address. */
#include "source/conf.h"

#include <stdlib.h>
#include <string.h>

static unsigned bits_of(uint8_t family)
{
    return family == ADDR_IPV4 ? 32 : 128;
}

bool cidr_parse(const char *text, size_t len, struct cidr *out)
{
    const char *slash = memchr(text, '/', len);
    size_t ip_len = slash ? (size_t) (slash - text) : len;
    struct addr addr;
    uint64_t bits;

    if (!addr_parse(&addr, text, ip_len, 0) || addr.port != 0)
        return false;
    bits = bits_of(addr.family);
    if (slash && (!text_to_u64(slash + 1, len - ip_len - 1, &bits) || bits > bits_of(addr.family)))
        return false;
    *out = (struct cidr){ .family = addr.family, .bits = (uint8_t) bits };
    memcpy(out->ip, addr.ip, sizeof out->ip);
    return true;
}

bool cidr_holds(const struct cidr *cidr, const struct addr *addr)
{
    size_t whole = cidr->bits / 8;
    uint8_t mask = (uint8_t) (0xff00 >> (cidr->bits % 8));

    if (cidr->family != addr->family || memcmp(cidr->ip, addr->ip, whole) != 0)
        return false;
    return mask == 0 || ((cidr->ip[whole] ^ addr->ip[whole]) & mask) == 0;
}

static int narrowest_first(const void *a, const void *b)
{
    const struct cidr *x = a, *y = b;

    return (x->bits < y->bits) - (x->bits > y->bits);
}

static size_t count_words(const char *list)
{
    size_t n = 0, len;

    while (key_word(&list, &len))
        n++;
    return n;
}

/* `word` is part of the list's own copy: the zone ends where its '=' was. */
static bool parse_one(char *word, size_t len, struct cidr *out)
{
    char *equals = memchr(word, '=', len);

    if (!equals || !conf_is_zone_name(word, (size_t) (equals - word)) ||
        !cidr_parse(equals + 1, (size_t) (word + len - equals - 1), out))
        return false;
    out->zone = word;
    return true;
}

int32_t cidrs_parse(const char *text, struct cidrs *out, struct fault *fault)
{
    size_t n = count_words(text), len;
    const char *at;

    *out = (struct cidrs){ 0 };
    if (n == 0)
        return 0;
    out->text = mem_strdup(text);
    out->items = mem_array(n, sizeof *out->items);
    if (!out->text || !out->items) {
        cidrs_free(out);
        return conf_no_memory(fault);
    }
    for (at = out->text; out->n < n; out->n++) {
        char *word = (char *) key_word(&at, &len);

        if (!parse_one(word, len, &out->items[out->n])) {
            cidrs_free(out);
            return fault_set(fault, MESH_ERR_INVALID, "zone_cidrs is no list such as a=10.0.0.0/20,b=10.0.16.0/20");
        }
    }
    for (size_t i = 0; i < n; i++)
        *strchr(out->items[i].zone, '=') = '\0';
    qsort(out->items, n, sizeof *out->items, narrowest_first);
    return 0;
}

void cidrs_free(struct cidrs *cidrs)
{
    mem_free(cidrs->items);
    mem_free(cidrs->text);
    *cidrs = (struct cidrs){ 0 };
}

const char *cidrs_zone_of(const struct cidrs *cidrs, const struct addr *addr)
{
    for (size_t i = 0; i < cidrs->n; i++)
        if (cidr_holds(&cidrs->items[i], addr))
            return cidrs->items[i].zone;
    return "";
}

const char *conf_zone_of(const struct conf *conf, const struct addr *addr)
{
    return cidrs_zone_of(&conf->cidrs, addr);
}
