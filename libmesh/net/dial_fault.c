/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for dials that failed; each address that was tried is named, as far as there is room. */
#include "net/dial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/socket.h"

static unsigned long long timeout_ms(const struct net_dial *dial)
{
    return (unsigned long long) (dial->timeout_us / US_PER_MS);
}

static const char *outcome_text(const struct dial_attempt *attempt, char out[FAULT_TEXT])
{
    if (attempt->state == ATTEMPT_FAILED)
        return net_socket_error_text(attempt->error, out);
    snprintf(out, FAULT_TEXT, "no answer within %llu ms", timeout_ms(attempt->dial));
    return out;
}

/* Out of descriptors or memory is no fault of the address. */
static int32_t code_of(const struct net_dial *dial)
{
    for (size_t i = 0; i < dial->n_begun; i++) {
        const struct dial_attempt *attempt = &dial->attempts[i];

        if (attempt->state == ATTEMPT_FAILED && net_socket_error_is_ours(attempt->error))
            return attempt->error == ENOMEM ? MESH_ERR_NOMEM : MESH_ERR_IO;
    }
    return MESH_ERR_CONNECT;
}

struct sentence {
    char text[FAULT_TEXT];
    size_t len;
};

/* False when it does not fit whole, with `spare` bytes left for what must still be said. */
static bool say(struct sentence *sentence, size_t spare, const char *text)
{
    size_t len = strlen(text);

    if (sentence->len + len + spare >= sizeof sentence->text)
        return false;
    memcpy(sentence->text + sentence->len, text, len + 1);
    sentence->len += len;
    return true;
}

void dial_fault_connect(struct net_dial *dial)
{
    enum { MORE = sizeof "; and 18446744073709551615 more" };
    struct sentence sentence = { .len = 0 };
    char one[ADDR_TEXT + FAULT_TEXT + 16], peer[ADDR_TEXT], outcome[FAULT_TEXT];

    for (size_t i = 0; i < dial->n_begun; i++) {
        const struct dial_attempt *attempt = &dial->attempts[i];

        snprintf(one, sizeof one, "%s%s: %s", i ? "; " : "connect to ", addr_format(&attempt->addr, peer),
                 outcome_text(attempt, outcome));
        if (say(&sentence, MORE, one))
            continue;
        snprintf(one, sizeof one, "; and %zu more", dial->n_begun - i);
        say(&sentence, 0, one);
        break;
    }
    fault_set(&dial->fault, code_of(dial), "%s", sentence.text);
}

void dial_fault_handshake_time(struct net_dial *dial)
{
    char peer[ADDR_TEXT], name[64];

    text_printable(dial->server_name, strlen(dial->server_name), name, sizeof name);
    fault_set(&dial->fault, MESH_ERR_CONNECT, "TLS with %s for \"%s\": handshake not finished within %llu ms",
              addr_format(net_stream_peer(dial->stream), peer), name, timeout_ms(dial));
}
