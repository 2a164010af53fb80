/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the resolver and the sentences of those that are none. */
#include "net/resolver_answer.h"

#include <string.h>
#include <strings.h>

#include "net/resolver_wire.h"

enum { NAME_SHOWN = 100, SERVERS_SHOWN = 80 };
enum { RCODE_NOERROR = 0, RCODE_NXDOMAIN = 3 };

/* ---- notes ---- */

/* With search rules the question is the name with a domain behind it. */
static bool is_about(const char *question, const char *name)
{
    size_t n = strlen(name);

    if (n > 0 && name[n - 1] == '.')
        n--;
    return strncasecmp(question, name, n) == 0 && (question[n] == '\0' || question[n] == '.');
}

static uint8_t answered_bit(uint16_t type, bool srv)
{
    if (srv)
        return type == WIRE_TYPE_SRV ? ANSWERED_BOTH : 0;
    if (type == WIRE_TYPE_A)
        return ANSWERED_A;
    return type == WIRE_TYPE_AAAA ? ANSWERED_AAAA : 0;
}

void resolver_note_reply(struct resolver_notes *notes, const char *name, bool srv, const uint8_t *packet, size_t len)
{
    struct wire w = wire_begin(packet, len);
    struct wire_head head = wire_read_head(&w);
    char asked[WIRE_NAME];
    uint16_t type;
    uint64_t hash;

    wire_question(&w, asked, &type);
    if (w.bad || !is_about(asked, name) || answered_bit(type, srv) == 0 || wire_truncated(&head))
        return;
    hash = hash_bytes(asked, strlen(asked));
    if (hash != notes->asked)
        *notes = (struct resolver_notes){ .asked = hash };
    if (wire_rcode(&head) != RCODE_NOERROR && wire_rcode(&head) != RCODE_NXDOMAIN) {
        notes->refusal = (uint8_t) wire_rcode(&head);
        return;
    }
    notes->answered |= answered_bit(type, srv);
    notes->has_records |= head.answers > 0;
}

/* ---- sentences ---- */

static const char *rcode_name(unsigned rcode)
{
    static const char *const names[] = {
        [1] = "FORMERR", [2] = "SERVFAIL", [3] = "NXDOMAIN", [4] = "NOTIMP", [5] = "REFUSED",
    };

    return rcode < COUNT_OF(names) && names[rcode] ? names[rcode] : "an unknown error";
}

struct words {
    char name[NAME_SHOWN * 2], servers[SERVERS_SHOWN];
    const char *types;
};

static void put_in_words(const struct resolver_question *question, struct words *out)
{
    text_printable(question->name, strlen(question->name), out->name, NAME_SHOWN);
    text_printable(question->servers, strlen(question->servers), out->servers, sizeof out->servers);
    out->types = question->srv ? "SRV" : "A or AAAA";
}

static void fail(struct net_answer *answer, const struct resolver_question *question,
                 const struct resolver_notes *notes, int status)
{
    struct words say;

    put_in_words(question, &say);
    answer->kind = NET_ANSWER_FAILED;
    if (status == ARES_ENOMEM)
        fault_set(&answer->fault, MESH_ERR_NOMEM, "DNS: out of memory for the answer to \"%s\"", say.name);
    else if (status == ARES_EBADNAME)
        fault_set(&answer->fault, MESH_ERR_DNS,
                  "DNS: \"%s\" is no name: labels have 1 to 63 bytes and dots between them, a name at most 253",
                  say.name);
    else if (status == ARES_EBADRESP)
        fault_set(&answer->fault, MESH_ERR_DNS, "DNS: the answer for \"%s\" (%s) from %s is malformed", say.name,
                  say.types, say.servers);
    else if (notes->refusal != 0)
        fault_set(&answer->fault, MESH_ERR_DNS, "DNS: %s for \"%s\" (%s) from %s", rcode_name(notes->refusal), say.name,
                  say.types, say.servers);
    else if (status == ARES_ETIMEOUT)
        fault_set(&answer->fault, MESH_ERR_DNS,
                  "DNS: no answer for \"%s\" (%s) from %s, asked %u times, %u ms for the first", say.name, say.types,
                  say.servers, question->tries, question->timeout_ms);
    else if (status == ARES_ECONNREFUSED)
        fault_set(&answer->fault, MESH_ERR_DNS,
                  "DNS: \"%s\" (%s) was not answered: nobody listens at %s, or no way leads there", say.name, say.types,
                  say.servers);
    else
        fault_set(&answer->fault, MESH_ERR_DNS, "DNS: no answer for \"%s\" (%s) from %s: %s", say.name, say.types,
                  say.servers, ares_strerror(status));
}

static void say_nothing_there(struct net_answer *answer, const struct resolver_question *question, bool name_exists)
{
    struct words say;

    put_in_words(question, &say);
    answer->kind = name_exists ? NET_ANSWER_NODATA : NET_ANSWER_NXDOMAIN;
    if (name_exists)
        fault_set(&answer->fault, MESH_ERR_DNS, "DNS: \"%s\" has no %s record (NODATA from %s)", say.name, say.types,
                  say.servers);
    else
        fault_set(&answer->fault, MESH_ERR_DNS, "DNS: the name \"%s\" does not exist (NXDOMAIN for %s from %s)",
                  say.name, say.types, say.servers);
}

/* Whatever is no success. That nothing is there holds only if the servers have answered everything that was asked. */
static void no_records(struct net_answer *answer, const struct resolver_question *question,
                       const struct resolver_notes *notes, int status)
{
    bool negative = status == ARES_ENODATA || status == ARES_ENOTFOUND;

    if (negative && (notes->refusal == 0 || notes->answered == ANSWERED_BOTH))
        say_nothing_there(answer, question, status == ARES_ENODATA);
    else
        fail(answer, question, notes, status);
}

/* ---- hosts ---- */

static void least_ttl(uint32_t *least, int ttl)
{
    uint32_t seconds = ttl > 0 ? (uint32_t) ttl : 0;

    if (seconds < *least)
        *least = seconds;
}

static uint32_t ttl_of(const struct ares_addrinfo *info)
{
    uint32_t least = UINT32_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        least_ttl(&least, node->ai_ttl);
    for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
        least_ttl(&least, cname->ttl);
    return least;
}

static bool take_addresses(struct resolver_result *out, const struct ares_addrinfo *info)
{
    size_t n = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        n++;
    out->addrs = mem_array(n, sizeof *out->addrs);
    if (!out->addrs)
        return false;
    n = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        if (addr_from_sockaddr(&out->addrs[n], node->ai_addr))
            n++;
    out->answer.addrs = out->addrs;
    out->answer.n_addrs = n;
    return true;
}

void resolver_result_hosts(struct resolver_result *out, const struct resolver_question *question,
                           const struct resolver_notes *notes, int status, const struct ares_addrinfo *info)
{
    struct net_answer *answer = &out->answer;

    answer->from = "dns";
    if (status != ARES_SUCCESS) {
        no_records(answer, question, notes, status);
        return;
    }
    if (!info || !info->nodes) {
        no_records(answer, question, notes, ARES_ENODATA);
        return;
    }
    if (!take_addresses(out, info)) {
        fail(answer, question, notes, ARES_ENOMEM);
        return;
    }
    answer->kind = NET_ANSWER_OK;
    answer->ttl_s = ttl_of(info);
    answer->partial = notes->has_records && notes->answered != ANSWERED_BOTH;
    if (!notes->has_records)
        answer->from = "hosts file";
}

void resolver_result_literal(struct resolver_result *out, const struct addr *addr)
{
    out->answer.from = "literal";
    out->addrs = mem_array(1, sizeof *out->addrs);
    if (!out->addrs) {
        out->answer.kind = NET_ANSWER_FAILED;
        fault_set(&out->answer.fault, MESH_ERR_NOMEM, "out of memory for an address");
        return;
    }
    *out->addrs = *addr;
    out->addrs->port = 0;
    out->answer.kind = NET_ANSWER_OK;
    out->answer.addrs = out->addrs;
    out->answer.n_addrs = 1;
}

/* ---- SRV ---- */

void resolver_result_srv(struct resolver_result *out, const struct resolver_question *question,
                         const struct resolver_notes *notes, int status, const uint8_t *packet, size_t len)
{
    struct net_answer *answer = &out->answer;
    int32_t err;

    answer->from = "dns";
    if (status != ARES_SUCCESS) {
        no_records(answer, question, notes, status);
        return;
    }
    err = srv_records_read(&out->records, packet, len);
    if (err) {
        fail(answer, question, notes, err == MESH_ERR_NOMEM ? ARES_ENOMEM : ARES_EBADRESP);
        return;
    }
    if (out->records.n == 0) {
        say_nothing_there(answer, question, true);
        return;
    }
    answer->kind = NET_ANSWER_OK;
    answer->ttl_s = out->records.ttl_s;
    answer->srvs = out->records.srvs;
    answer->n_srvs = out->records.n;
}

void resolver_result_failed(struct resolver_result *out, const struct fault *fault)
{
    out->answer.kind = NET_ANSWER_FAILED;
    out->answer.fault = *fault;
    out->answer.from = "dns";
}

void resolver_result_free(struct resolver_result *result)
{
    mem_free(result->addrs);
    srv_records_free(&result->records);
    *result = (struct resolver_result){ 0 };
}
