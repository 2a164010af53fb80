/* SPDX-License-Identifier: Apache-2.0 */
/* From what c-ares reports, and what was seen in the replies, to an answer with a sentence. Private to net/. */
#ifndef NET_RESOLVER_ANSWER_H
#define NET_RESOLVER_ANSWER_H

#include <ares.h>

#include "net/net.h"
#include "net/resolver_srv.h"

/* What was asked of whom: for sentences. */
struct resolver_question {
    const char *name;
    bool srv; /* else A and AAAA */
    const char *servers;
    uint32_t timeout_ms, tries;
};

/* What the replies to one question said. c-ares 1.18 calls every refusal (SERVFAIL, REFUSED, ...) "could not contact DNS servers",
 * and does not tell that only one of A and AAAA was answered. */
struct resolver_notes {
    uint64_t asked;   /* hash of the name that replies are about: search rules try several */
    uint8_t answered; /* ANSWERED_*: the servers said what there is, or that there is nothing */
    uint8_t refusal;  /* the last response code that is no answer; 0: none */
    bool has_records;
};
enum { ANSWERED_A = 1, ANSWERED_AAAA = 2, ANSWERED_BOTH = 3 };

/* An answer and the memory behind it. */
struct resolver_result {
    struct net_answer answer;
    struct addr *addrs;
    struct srv_records records;
};

/* Looks at a reply; those about other questions are left alone. */
void resolver_note_reply(struct resolver_notes *notes, const char *name, bool srv, const uint8_t *packet, size_t len);

void resolver_result_literal(struct resolver_result *out, const struct addr *addr);
void resolver_result_hosts(struct resolver_result *out, const struct resolver_question *question,
                           const struct resolver_notes *notes, int status, const struct ares_addrinfo *info);
void resolver_result_srv(struct resolver_result *out, const struct resolver_question *question,
                         const struct resolver_notes *notes, int status, const uint8_t *packet, size_t len);
/* No question was asked: `fault` says why. */
void resolver_result_failed(struct resolver_result *out, const struct fault *fault);
void resolver_result_free(struct resolver_result *result);

#endif
