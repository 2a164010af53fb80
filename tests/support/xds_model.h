/* SPDX-License-Identifier: Apache-2.0 */
/* A server and a store in a few lines, that bytes drive through anything that may happen on streams: names that come and go,
 * answers of all kinds, refusals, time, the end of streams. Every request is held against what the server must be told. */
#ifndef TESTS_SUPPORT_XDS_MODEL_H
#define TESTS_SUPPORT_XDS_MODEL_H

#include "support/xds_side.h"

enum { MODEL_NAMES = 5, MODEL_NONCE = 24, MODEL_NOBODY = -1 };

static const char *const model_names[MODEL_NAMES] = { "a", "b", "c", "d", "xdstp://plane/e" };

/* Decisions; 0 when there are no more. */
struct model_dice {
    const uint8_t *bytes;
    size_t len;
};

static inline unsigned model_draw(struct model_dice *dice, unsigned below)
{
    unsigned byte = dice->len > 0 ? *dice->bytes : 0;

    if (dice->len > 0) {
        dice->bytes++;
        dice->len--;
    }
    return byte % below;
}

struct model_type {
    /* What the store wants and holds. */
    bool wanted[MODEL_NAMES];
    int held[MODEL_NAMES]; /* a version, 0: none */
    int version;           /* of the last answer that was accepted, 0: none */
    /* What the server knows, on this stream. */
    bool is_asked, known[MODEL_NAMES];
    bool lapsed[MODEL_NAMES]; /* given up since it was told */
    /* The reply that it waits for. */
    bool is_owed, is_refusal;
    uint64_t due_us;
    char nonce[MODEL_NONCE]; /* of the last answer that was concluded on this stream */
    /* What was refused, packed without a nonce. */
    struct buf refused;
    uint64_t delay_us;
    bool is_known; /* by now nothing else would be found in it */
};

struct model {
    struct side side;
    struct model_dice dice;
    uint64_t now_us;
    bool is_open, is_node_seen;
    unsigned nonces;
    struct model_type types[XDS_TYPES];
    struct {
        struct xds_answer *answer; /* NULL: nothing is in hand */
        bool is_of_this_stream;
        int version;
        bool has_ttl, looks_again;
        struct buf content;
    } hand;
};

/* ---- what happens to the store ---- */

static inline void model_look_again(struct model *model, enum xds_type type)
{
    model->types[type].is_known = false;
    if (model->hand.answer && model->hand.answer->type == type)
        model->hand.looks_again = true;
}

static inline void model_subscribe(struct model *model)
{
    enum xds_type type = model_draw(&model->dice, XDS_TYPES);
    unsigned name = model_draw(&model->dice, MODEL_NAMES);

    side_subscribe(&model->side, type, model_names[name]);
    if (!model->types[type].wanted[name])
        model_look_again(model, type);
    model->types[type].wanted[name] = true;
}

static inline void model_unsubscribe(struct model *model)
{
    enum xds_type type = model_draw(&model->dice, XDS_TYPES);
    unsigned name = model_draw(&model->dice, MODEL_NAMES);
    struct model_type *of = &model->types[type];

    protocol_unsubscribe(model->side.protocol, type, model_names[name]);
    of->lapsed[name] = of->lapsed[name] || (of->wanted[name] && of->known[name]);
    of->wanted[name] = false;
    of->held[name] = 0;
}

static inline void model_hold(struct model *model)
{
    static const char *const versions[] = { NULL, "1", "2", "3" };
    enum xds_type type = model_draw(&model->dice, XDS_TYPES);
    unsigned name = model_draw(&model->dice, MODEL_NAMES), version = model_draw(&model->dice, 4);

    protocol_hold(model->side.protocol, type, model_names[name], versions[version]);
    if (model->types[type].wanted[name])
        model->types[type].held[name] = (int) version;
}

/* ---- streams ---- */

static inline void model_close(struct model *model)
{
    protocol_stream_closed(model->side.protocol);
    model->is_open = model->is_node_seen = model->hand.is_of_this_stream = false;
    for (enum xds_type type = 0; type < XDS_TYPES; type++) {
        struct model_type *of = &model->types[type];

        of->is_asked = of->is_owed = false;
        memset(of->known, 0, sizeof of->known);
        memset(of->lapsed, 0, sizeof of->lapsed);
        of->nonce[0] = '\0';
        of->delay_us = 0;
    }
}

static inline void model_open(struct model *model)
{
    model_close(model);
    protocol_stream_opened(model->side.protocol);
    model->is_open = true;
}

/* ---- answers ---- */

static inline struct said_resource model_resource(struct model *model)
{
    static const char *const bodies[] = { "x", "y", NULL }, *const versions[] = { "1", "2", "" };
    static const int64_t ttls[] = { 0, 60, -1 };
    unsigned ttl = model_draw(&model->dice, 6);
    struct said_resource resource = { .body = bodies[model_draw(&model->dice, 3)],
                                      .version = versions[model_draw(&model->dice, 3)],
                                      .ttl_s = ttl < COUNT_OF(ttls) ? &ttls[ttl] : NULL };
    unsigned name = model_draw(&model->dice, MODEL_NAMES + 1);

    resource.name = name < MODEL_NAMES ? model_names[name] : NULL;
    if (model_draw(&model->dice, 8) == 1)
        resource.type_url = "type.googleapis.com/other";
    return resource;
}

static inline void model_say(struct model *model, struct said *said)
{
    static const char *const versions[] = { "1", "2", "3" };
    unsigned version = model_draw(&model->dice, 3);

    *said = (struct said){ .type = model_draw(&model->dice, XDS_TYPES), .version = versions[version] };
    said->n_resources = model_draw(&model->dice, 4);
    for (size_t i = 0; i < said->n_resources; i++)
        said->resources[i] = model_resource(model);
    said->n_removed = model->side.is_delta ? model_draw(&model->dice, 3) : 0;
    for (size_t i = 0; i < said->n_removed; i++)
        said->removed[i] = model_names[model_draw(&model->dice, MODEL_NAMES)];
    model->hand.version = (int) version + 1;
    model->hand.looks_again = model->hand.has_ttl = false;
}

static inline bool model_is_as_refused(const struct model *model, const struct model_type *of)
{
    const struct buf *content = &model->hand.content, *refused = &of->refused;

    return buf_len(refused) > 0 && buf_len(refused) == buf_len(content) &&
           memcmp(buf_bytes(refused), buf_bytes(content), buf_len(content)) == 0;
}

static inline void model_answer(struct model *model)
{
    struct said said;
    char nonce[MODEL_NONCE];
    struct fault fault = { 0 };
    struct model_type *of;

    if (!model->is_open || model->hand.answer)
        return;
    model_say(model, &said);
    of = &model->types[said.type];
    buf_clear(&model->hand.content);
    said_pack(&said, model->side.is_delta, &model->hand.content);
    snprintf(nonce, sizeof nonce, "%u", model_draw(&model->dice, 4) ? ++model->nonces : model->nonces);
    said.nonce = model_draw(&model->dice, 16) == 1 ? "" : nonce;
    MESH_OK(side_arrive(&model->side, &said, &model->hand.answer, &fault));
    assert_int_equal(model->hand.answer != NULL, of->is_asked);
    model->hand.is_of_this_stream = true;
    if (!model->hand.answer)
        return;
    assert_int_equal(model->hand.answer->is_repeated, of->is_known && model_is_as_refused(model, of));
    assert_string_equal(model->hand.answer->nonce, said.nonce);
    if (!model->hand.answer->refusal)
        assert_int_equal(model->hand.answer->n_resources, said.n_resources);
    for (size_t i = 0; i < model->hand.answer->n_resources; i++)
        model->hand.has_ttl = model->hand.has_ttl || model->hand.answer->resources[i].ttl_us != XDS_NO_TTL;
}

/* How long the reply waits. */
static inline uint64_t model_delay_us(struct model *model, struct model_type *of, bool is_refusal)
{
    bool is_same = is_refusal && model_is_as_refused(model, of);

    if (!is_same)
        of->delay_us = 0;
    else if (of->delay_us == 0)
        of->delay_us = US_PER_S;
    else
        of->delay_us = of->delay_us * 2 < 30 * US_PER_S ? of->delay_us * 2 : 30 * US_PER_S;
    buf_clear(&of->refused);
    if (is_refusal)
        assert_true(buf_append(&of->refused, buf_bytes(&model->hand.content), buf_len(&model->hand.content)));
    return of->delay_us;
}

static inline void model_conclude(struct model *model)
{
    struct xds_answer *answer = model->hand.answer;
    const char *error;
    struct model_type *of;
    uint64_t delay_us;

    if (!answer)
        return;
    of = &model->types[answer->type];
    error = answer->refusal ? answer->refusal : model_draw(&model->dice, 3) == 0 ? "why" : NULL;
    if (error && model_draw(&model->dice, 8) == 1) {
        protocol_look_again(model->side.protocol, answer->type);
        model->hand.looks_again = true;
    }
    delay_us = model_delay_us(model, of, error != NULL);
    of->is_known = error && !model->hand.looks_again && !model->hand.has_ttl;
    if (!error)
        of->version = model->side.is_delta ? 0 : model->hand.version;
    if (model->hand.is_of_this_stream) {
        of->is_owed = true;
        of->is_refusal = error != NULL;
        of->due_us = error ? model->now_us + delay_us : 0;
        text_copy(of->nonce, sizeof of->nonce, answer->nonce);
    }
    protocol_conclude(model->side.protocol, answer, error, model->now_us);
    model->hand.answer = NULL;
}

static inline void model_drop(struct model *model)
{
    if (!model->hand.answer)
        return;
    protocol_drop(model->side.protocol, model->hand.answer);
    model->hand.answer = NULL;
    model_close(model);
}

/* ---- what is asked ---- */

static inline bool model_is_held(const struct model *model, enum xds_type type)
{
    enum xds_type above = type == XDS_ROUTES ? XDS_LISTENER : type == XDS_ENDPOINTS ? XDS_CLUSTER : type;

    return model->hand.answer && (model->hand.answer->type == type || model->hand.answer->type == above);
}

static inline bool model_has_changed(const struct model_type *of)
{
    for (unsigned i = 0; i < MODEL_NAMES; i++)
        if (of->lapsed[i] || of->wanted[i] != of->known[i])
            return true;
    return false;
}

/* When the protocol should want to say something. */
static inline uint64_t model_due_us(const struct model *model)
{
    uint64_t earliest = UINT64_MAX;

    for (enum xds_type type = 0; model->is_open && type < XDS_TYPES; type++) {
        const struct model_type *of = &model->types[type];
        uint64_t due_us = model_has_changed(of) ? 0 : of->is_owed ? of->due_us : UINT64_MAX;

        if (!model_is_held(model, type) && due_us < earliest)
            earliest = due_us;
    }
    return earliest;
}

static inline void model_check_names(struct model_type *of, const struct asked *asked, bool is_delta)
{
    size_t n = 0;

    for (unsigned i = 0; i < MODEL_NAMES; i++) {
        bool is_named = asked_has(asked->names, asked->n_names, model_names[i]);
        bool is_gone = asked_has(asked->gone, asked->n_gone, model_names[i]);
        bool is_wanted = of->wanted[i] && !of->lapsed[i];

        assert_int_equal(is_named, is_delta ? is_wanted && !of->known[i] : is_wanted);
        assert_int_equal(is_gone, is_delta && of->known[i] && !is_wanted);
        n += is_named + is_gone;
        of->known[i] = is_wanted;
        of->lapsed[i] = false;
    }
    assert_int_equal(n, asked->n_names + asked->n_gone);
}

static inline void model_check_held(const struct model_type *of, const struct asked *asked, bool is_delta)
{
    size_t n = 0;

    for (unsigned i = 0; is_delta && !of->is_asked && i < MODEL_NAMES; i++)
        n += of->wanted[i] && of->held[i] > 0;
    assert_int_equal(asked->n_held, n);
    for (size_t i = 0; i < asked->n_held; i++) {
        unsigned name = 0;

        while (strcmp(asked->held[i]->key, model_names[name]) != 0)
            assert_true(++name < MODEL_NAMES);
        assert_true(of->wanted[name]);
        assert_int_equal(asked->held[i]->value[0] - '0', of->held[name]);
    }
}

static inline void model_check_reply(const struct model *model, struct model_type *of, const struct asked *asked,
                                     bool has_changed)
{
    bool is_delta = model->side.is_delta;
    bool is_reply = of->is_owed && (of->due_us <= model->now_us || (has_changed && !is_delta));

    assert_true(is_reply || has_changed);
    assert_int_equal(asked->error != NULL, is_reply && of->is_refusal);
    if (asked->error)
        assert_int_equal(asked->error->code, 3);
    assert_string_equal(asked->nonce, is_reply || !is_delta ? of->nonce : "");
    assert_int_equal(asked->version[0] ? asked->version[0] - '0' : 0, of->version);
    of->is_owed = of->is_owed && !is_reply;
}

static inline void model_check_request(struct model *model, const struct asked *asked)
{
    struct model_type *of = &model->types[asked->type];
    bool has_changed = model_has_changed(of);

    assert_true(model->is_open);
    assert_false(model_is_held(model, asked->type));
    assert_int_equal(asked->node != NULL, !model->is_node_seen);
    model->is_node_seen = true;
    assert_true(of->is_asked || asked->n_names > 0);
    model_check_held(of, asked, model->side.is_delta);
    of->is_asked = true;
    model_check_reply(model, of, asked, has_changed);
    model_check_names(of, asked, model->side.is_delta);
}

/* The next request, as the server sees it. */
static inline bool model_request(struct model *model)
{
    struct buf bytes = { 0 };
    bool is_due = model_due_us(model) <= model->now_us;
    struct asked asked;

    assert_true(protocol_due_us(model->side.protocol) == model_due_us(model));
    MESH_OK(protocol_next_request(model->side.protocol, model->now_us, &bytes));
    assert_int_equal(buf_len(&bytes) > 0, is_due);
    if (is_due) {
        asked = asked_read(&bytes, model->side.is_delta);
        model_check_request(model, &asked);
        asked_done(asked);
    }
    buf_free(&bytes);
    return is_due;
}

static inline void model_requests(struct model *model)
{
    /* A type has two requests at most: one that gives up, one that wants again. */
    for (unsigned n = 0; model_request(model); n++)
        assert_true(n < 2 * XDS_TYPES);
}

/* ---- all of it ---- */

/* Whatever comes, nothing is owed in the end and the server knows what is wanted. */
static inline void model_quiet(struct model *model)
{
    model_conclude(model);
    model_requests(model);
    model->now_us += 31 * US_PER_S;
    model_requests(model);
    for (enum xds_type type = 0; model->is_open && type < XDS_TYPES; type++) {
        assert_false(model->types[type].is_owed);
        assert_memory_equal(model->types[type].known, model->types[type].wanted, sizeof model->types[type].wanted);
    }
    assert_true(protocol_due_us(model->side.protocol) == UINT64_MAX);
}

static inline void model_step(struct model *model)
{
    static void (*const steps[])(struct model *) = {
        model_requests, model_subscribe, model_subscribe, model_subscribe, model_unsubscribe,
        model_hold,     model_answer,    model_answer,    model_answer,    model_conclude,
        model_conclude, model_drop,      model_open,      model_requests,
    };
    unsigned step = model_draw(&model->dice, COUNT_OF(steps) + 3);

    if (step < COUNT_OF(steps))
        steps[step](model);
    else if (step == COUNT_OF(steps))
        model_request(model);
    else if (step == COUNT_OF(steps) + 1)
        model->now_us += model_draw(&model->dice, 70) * US_PER_S / 2;
    else if (model_draw(&model->dice, 4) == 0)
        model_close(model);
}

static inline void model_run(const uint8_t *bytes, size_t len, bool is_delta)
{
    struct model model = { .dice = { bytes, len }, .now_us = SIDE_NOW_US };

    side_begin(&model.side, is_delta);
    while (model.dice.len > 0)
        model_step(&model);
    model_quiet(&model);
    side_end(&model.side);
    for (enum xds_type type = 0; type < XDS_TYPES; type++)
        buf_free(&model.types[type].refused);
    buf_free(&model.hand.content);
}

#endif
