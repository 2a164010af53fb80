/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a stream: names, answers in hand, and what is remembered from one stream to the next. */
#include "source/xds/protocol_state.h"

#include <string.h>

enum { ERROR_MOST = 4096 };

#define DELAY_FIRST_US US_PER_S
#define DELAY_MOST_US  (30 * US_PER_S)

const struct protocol_limits protocol_limits_standard = {
    .wire = { .bytes = (size_t) 256 << 20,
              .fields = (size_t) 32 << 20,
              .memory = (size_t) 1 << 30,
              .depth = WIRE_DEPTH_MAX },
    .names = 1 << 20,
    .resources = 1 << 20,
    .text = 4096,
};

int32_t protocol_new(bool is_delta, const Core__Node *node, const struct protocol_limits *limits, struct protocol **out)
{
    struct protocol *protocol = mem_zalloc(sizeof *protocol);

    *out = protocol;
    if (!protocol)
        return MESH_ERR_NOMEM;
    protocol->variant = is_delta ? &protocol_delta : &protocol_sotw;
    protocol->node = node;
    protocol->limits = *limits;
    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        protocol->subscriptions[type].type = type;
        list_init(&protocol->subscriptions[type].told);
        list_init(&protocol->subscriptions[type].changed);
    }
    return 0;
}

static void free_names(struct subscription *subscription, struct list *names)
{
    while (!list_empty(names))
        subscription_forget(subscription, CONTAINER_OF(names->next, struct name, link));
}

void protocol_free(struct protocol *protocol)
{
    if (!protocol)
        return;
    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        struct subscription *subscription = &protocol->subscriptions[type];

        free_names(subscription, &subscription->told);
        free_names(subscription, &subscription->changed);
        map_free(&subscription->names);
        mem_free(subscription->reply.nonce);
        mem_free(subscription->version);
        mem_free(subscription->error);
    }
    mem_free(protocol->server);
    mem_free(protocol);
}

/* ---- names ---- */

void subscription_forget(struct subscription *subscription, struct name *name)
{
    map_remove(&subscription->names, name->text, name->len);
    list_remove(&name->link);
    mem_free(name->version);
    mem_free(name);
}

static void move(struct list *to, struct name *name, enum name_state state)
{
    list_remove(&name->link);
    list_push_back(to, &name->link);
    name->state = state;
}

static int32_t check_name(const struct protocol *protocol, const struct subscription *subscription, const char *name,
                          size_t len, struct fault *fault)
{
    const char *type = xds_type_name(subscription->type);

    if (len == 0 || strcmp(name, "*") == 0)
        return fault_set(fault, MESH_ERR_INVALID, "%s \"%s\": no name of a resource", type, name);
    if (len > protocol->limits.text)
        return fault_set(fault, MESH_ERR_TOO_LARGE, "%s \"%.100s...\": the name is longer than %zu bytes", type, name,
                         protocol->limits.text);
    if (!text_is_utf8(name, len))
        return fault_set(fault, MESH_ERR_INVALID, "%s: a name that is not UTF-8", type);
    if (subscription->n_wanted >= protocol->limits.names)
        return fault_set(fault, MESH_ERR_TOO_LARGE, "%s \"%.100s\": more than %zu names", type, name,
                         protocol->limits.names);
    return 0;
}

static int32_t add_name(struct subscription *subscription, const char *text, size_t len, struct fault *fault)
{
    struct name *name = mem_zalloc(sizeof *name + len + 1);

    if (!name)
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    name->len = len;
    memcpy(name->text, text, len + 1);
    if (!map_put(&subscription->names, name->text, len, name)) {
        mem_free(name);
        return fault_set(fault, MESH_ERR_NOMEM, "out of memory");
    }
    list_push_back(&subscription->changed, &name->link);
    name->state = NAME_NEW;
    return 0;
}

int32_t protocol_subscribe(struct protocol *protocol, enum xds_type type, const char *name, struct fault *fault)
{
    struct subscription *subscription = &protocol->subscriptions[type];
    size_t len = strlen(name);
    struct name *known = map_get(&subscription->names, name, len);
    int32_t err;

    if (known && known->state != NAME_GONE)
        return 0;
    err = check_name(protocol, subscription, name, len, fault);
    if (err)
        return err;
    err = known ? 0 : add_name(subscription, name, len, fault);
    if (err)
        return err;
    if (known)
        known->state = NAME_AGAIN;
    subscription->n_wanted++;
    protocol_look_again(protocol, type); /* servers may have sent it before it was asked for */
    return 0;
}

void protocol_unsubscribe(struct protocol *protocol, enum xds_type type, const char *name)
{
    struct subscription *subscription = &protocol->subscriptions[type];
    struct name *known = map_get_text(&subscription->names, name);

    if (!known || known->state == NAME_GONE)
        return;
    subscription->n_wanted--;
    mem_free(known->version);
    known->version = NULL;
    if (known->state == NAME_NEW)
        subscription_forget(subscription, known);
    else
        move(&subscription->changed, known, NAME_GONE);
}

void protocol_hold(struct protocol *protocol, enum xds_type type, const char *name, const char *version)
{
    struct name *known = map_get_text(&protocol->subscriptions[type].names, name);

    if (!protocol->variant->are_versions_told || !known || known->state == NAME_GONE)
        return;
    if (known->version && version && strcmp(known->version, version) == 0)
        return;
    mem_free(known->version);
    /* Without memory the server sends it once more than it must. */
    known->version = version && version[0] ? mem_strdup(version) : NULL;
}

/* ---- the stream ---- */

/* The server knows nothing yet. */
static void forget_told(struct subscription *subscription)
{
    list_take_all(&subscription->told, &subscription->changed);
    LIST_EACH_SAFE(pos, following, &subscription->told) {
        struct name *name = CONTAINER_OF(pos, struct name, link);

        if (name->state == NAME_GONE)
            subscription_forget(subscription, name);
        else
            move(&subscription->changed, name, NAME_NEW);
    }
}

void protocol_stream_opened(struct protocol *protocol)
{
    protocol_stream_closed(protocol);
    protocol->is_open = true;
    protocol->is_node_sent = false;
    protocol->stream++;
}

void protocol_stream_closed(struct protocol *protocol)
{
    protocol->is_open = false;
    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        struct subscription *subscription = &protocol->subscriptions[type];

        mem_free(subscription->reply.nonce);
        subscription->reply = (struct reply){ 0 };
        subscription->delay_us = 0;
        subscription->is_asked = false;
        forget_told(subscription);
    }
}

/* ---- answers ---- */

static void note_server(struct protocol *protocol, const struct answer *answer)
{
    const Core__ControlPlane *server = protocol->variant->look(answer->message).server;
    char shown[FAULT_TEXT];
    char *name;

    if (!server || !server->identifier[0])
        return;
    text_printable(server->identifier, strlen(server->identifier), shown, sizeof shown);
    if (protocol->server && strcmp(protocol->server, shown) == 0)
        return;
    name = mem_strdup(shown);
    if (!name)
        return;
    mem_free(protocol->server);
    protocol->server = name;
}

int32_t protocol_receive(struct protocol *protocol, const uint8_t *bytes, size_t len, struct xds_answer **out,
                         struct fault *fault)
{
    struct answer *answer;
    int32_t err = answer_read(protocol, bytes, len, &answer, fault);

    *out = NULL;
    if (err || !answer)
        return err;
    note_server(protocol, answer);
    protocol->subscriptions[answer->shown.type].in_hand++;
    protocol->subscriptions[answer->shown.type].looks_again = false;
    *out = &answer->shown;
    return 0;
}

/* Valid UTF-8 of `text`, at most `most` bytes and a NUL; returns how many. */
static size_t copy_utf8(char *out, size_t most, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && at < most) {
        uint32_t code;
        size_t size = text_decode((const unsigned char *) text + at, len - at, &code);

        if (size > most - at)
            break;
        if (size == 0)
            out[at] = '?';
        else
            memcpy(out + at, text + at, size);
        at += size ? size : 1;
    }
    out[at] = '\0';
    return at;
}

/* What came with a time to live lives on by coming again. */
static bool has_ttl(const struct xds_answer *answer)
{
    for (size_t i = 0; i < answer->n_resources; i++)
        if (answer->resources[i].ttl_us != XDS_NO_TTL)
            return true;
    return false;
}

void protocol_look_again(struct protocol *protocol, enum xds_type type)
{
    protocol->subscriptions[type].is_known = false;
    protocol->subscriptions[type].looks_again = true;
}

/* Whoever composed the sentence may have cut a character, and a server that reads strictly would end the stream. */
static char *copy_error(const char *error)
{
    static const char tail[] = "...(truncated)";
    size_t len = strlen(error), used;
    char *out = mem_alloc((len < ERROR_MOST ? len : ERROR_MOST) + 1);

    if (!out)
        return NULL;
    if (len <= ERROR_MOST) {
        copy_utf8(out, len, error, len);
        return out;
    }
    used = copy_utf8(out, ERROR_MOST - strlen(tail), error, len);
    memcpy(out + used, tail, sizeof tail);
    return out;
}

static uint64_t next_delay_us(const struct subscription *subscription, uint64_t hash)
{
    uint64_t doubled = subscription->delay_us * 2;

    if (!subscription->is_refused || subscription->refused_hash != hash)
        return 0;
    if (doubled == 0)
        return DELAY_FIRST_US;
    return doubled < DELAY_MOST_US ? doubled : DELAY_MOST_US;
}

static void note_refused(struct subscription *subscription, const struct answer *answer, const char *error,
                         uint64_t now_us)
{
    char *copy = copy_error(error); /* may be of subscription->error */

    mem_free(subscription->error);
    subscription->error = copy;
    subscription->delay_us = next_delay_us(subscription, answer->hash);
    subscription->is_refused = true;
    subscription->is_known = !subscription->looks_again && !has_ttl(&answer->shown);
    subscription->refused_hash = answer->hash;
    subscription->refused++;
    subscription->refused_us = now_us;
}

static void note_accepted(struct subscription *subscription, struct answer *answer, uint64_t now_us)
{
    mem_free(subscription->version);
    subscription->version = answer->version;
    answer->version = NULL;
    subscription->delay_us = 0;
    subscription->is_refused = false;
    subscription->accepted++;
    subscription->accepted_us = now_us;
}

void protocol_conclude(struct protocol *protocol, struct xds_answer *answer, const char *error, uint64_t now_us)
{
    struct answer *mine = CONTAINER_OF(answer, struct answer, shown);
    struct subscription *subscription = &protocol->subscriptions[answer->type];

    if (error)
        note_refused(subscription, mine, error, now_us);
    else
        note_accepted(subscription, mine, now_us);
    subscription->looks_again = false;
    if (protocol->is_open && mine->stream == protocol->stream) {
        mem_free(subscription->reply.nonce);
        subscription->reply = (struct reply){ .is_owed = true,
                                              .is_refusal = error != NULL,
                                              .due_us = error ? now_us + subscription->delay_us : 0,
                                              .nonce = mine->nonce };
        mine->nonce = NULL;
    }
    protocol_drop(protocol, answer);
}

void protocol_drop(struct protocol *protocol, struct xds_answer *answer)
{
    protocol->subscriptions[answer->type].in_hand--;
    answer_free(CONTAINER_OF(answer, struct answer, shown));
}

/* ---- for status ---- */

struct protocol_status protocol_status(const struct protocol *protocol, enum xds_type type)
{
    const struct subscription *subscription = &protocol->subscriptions[type];

    return (struct protocol_status){
        .names = subscription->n_wanted,
        .accepted = subscription->accepted,
        .refused = subscription->refused,
        .version = subscription->version ? subscription->version : "",
        .accepted_us = subscription->accepted_us,
        .error = subscription->error,
        .refused_us = subscription->refused_us,
    };
}

const char *protocol_server(const struct protocol *protocol)
{
    return protocol->server ? protocol->server : "";
}
