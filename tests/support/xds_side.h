/* SPDX-License-Identifier: Apache-2.0 */
/* Our side of one stream, driven message by message: what tests of the protocol do and expect. */
#ifndef TESTS_SUPPORT_XDS_SIDE_H
#define TESTS_SUPPORT_XDS_SIDE_H

#include "source/xds/protocol.h"
#include "support/xds_messages.h"

#define SIDE_NOW_US UINT64_C(5000000)

struct side {
    bool is_delta;
    struct protocol *protocol;
    Core__Node node;
};

static inline struct side *side_begin(struct side *side, bool is_delta)
{
    struct side fresh = { .is_delta = is_delta, .node = CORE__NODE__INIT };

    *side = fresh;
    side->node.id = (char *) "me";
    MESH_OK(protocol_new(is_delta, &side->node, &protocol_limits_standard, &side->protocol));
    return side;
}

static inline void side_end(struct side *side)
{
    protocol_free(side->protocol);
}

/* ---- doing ---- */

static inline void side_subscribe(struct side *side, enum xds_type type, const char *name)
{
    struct fault fault = { 0 };

    MESH_OK(protocol_subscribe(side->protocol, type, name, &fault));
}

/* The next request, which there is. */
static inline struct asked side_next_at(struct side *side, uint64_t now_us)
{
    struct buf bytes = { 0 };
    struct asked asked;

    MESH_OK(protocol_next_request(side->protocol, now_us, &bytes));
    assert_true(buf_len(&bytes) > 0);
    asked = asked_read(&bytes, side->is_delta);
    buf_free(&bytes);
    return asked;
}

static inline struct asked side_next(struct side *side)
{
    assert_true(protocol_due_us(side->protocol) <= SIDE_NOW_US);
    return side_next_at(side, SIDE_NOW_US);
}

static inline void side_nothing_at(struct side *side, uint64_t now_us)
{
    struct buf bytes = { 0 };

    MESH_OK(protocol_next_request(side->protocol, now_us, &bytes));
    assert_int_equal(buf_len(&bytes), 0);
    buf_free(&bytes);
}

static inline void side_nothing(struct side *side)
{
    side_nothing_at(side, SIDE_NOW_US);
    assert_true(protocol_due_us(side->protocol) > SIDE_NOW_US);
}

static inline void asked_done(struct asked asked)
{
    wire_free(asked.message);
}

static inline void side_pass_over(struct side *side)
{
    asked_done(side_next(side));
}

/* What the server says arrives. */
static inline int32_t side_arrive(struct side *side, const struct said *said, struct xds_answer **out,
                                  struct fault *fault)
{
    struct buf bytes = { 0 };
    int32_t err;

    said_pack(said, side->is_delta, &bytes);
    err = protocol_receive(side->protocol, buf_bytes(&bytes), buf_len(&bytes), out, fault);
    memset(bytes.data, 0xee, bytes.cap); /* nobody looks there any more */
    buf_free(&bytes);
    return err;
}

static inline struct xds_answer *side_hear(struct side *side, const struct said *said)
{
    struct xds_answer *answer;
    struct fault fault = { 0 };

    MESH_OK(side_arrive(side, said, &answer, &fault));
    assert_non_null(answer);
    assert_int_equal(answer->type, said->type);
    return answer;
}

static inline void side_conclude(struct side *side, struct xds_answer *answer, const char *error)
{
    protocol_conclude(side->protocol, answer, error, SIDE_NOW_US);
}

/* A stream on which one cluster was asked for. */
static inline void side_open_with(struct side *side, enum xds_type type, const char *name)
{
    side_subscribe(side, type, name);
    protocol_stream_opened(side->protocol);
    side_pass_over(side);
    side_nothing(side);
}

static inline struct said said_cluster(const char *version, const char *nonce, const char *body)
{
    return (struct said){ .type = XDS_CLUSTER,
                          .version = version,
                          .nonce = nonce,
                          .n_resources = 1,
                          .resources = { { .name = "a", .version = version, .body = body } } };
}

/* ---- expecting ---- */

static inline void asked_names_are(struct asked asked, size_t n, ...)
{
    va_list names;

    assert_int_equal(asked.n_names, n);
    va_start(names, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(asked.names[i], va_arg(names, const char *));
    va_end(names);
}

static inline void asked_is_ack(struct asked asked, const char *version, const char *nonce, bool is_delta)
{
    assert_null(asked.error);
    assert_string_equal(asked.nonce, nonce);
    assert_string_equal(asked.version, is_delta ? "" : version);
}

static inline void asked_is_nack(struct asked asked, const char *version, const char *nonce, const char *why,
                                 bool is_delta)
{
    assert_non_null(asked.error);
    assert_int_equal(asked.error->code, 3);
    assert_string_equal(asked.error->message, why);
    assert_string_equal(asked.nonce, nonce);
    assert_string_equal(asked.version, is_delta ? "" : version);
}

/* ---- a test in both variants ---- */

#define BOTH(name)                         \
    static void name##_sotw(void **state)  \
    {                                      \
        (void) state;                      \
        name(false);                       \
    }                                      \
    static void name##_delta(void **state) \
    {                                      \
        (void) state;                      \
        name(true);                        \
    }

#define IN_BOTH(name) LEAK_TEST(name##_sotw), LEAK_TEST(name##_delta)

#endif
