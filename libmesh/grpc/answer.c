/* SPDX-License-Identifier: Apache-2.0 */
/* content-type, grpc-encoding, grpc-status, grpc-message, grpc-status-details-bin, and the verdict. */
#include "grpc/answer.h"

#include <string.h>

#include "grpc/base64.h"

static bool is_named(const char *name, size_t len, const char *wanted)
{
    return text_equal_nocase_n(name, len, wanted, strlen(wanted));
}

/* application/grpc, application/grpc+proto, application/grpc;charset=x, ...; not application/grpc-web. */
static bool is_grpc_type(const char *value, size_t len)
{
    static const char grpc[] = "application/grpc";
    size_t own = sizeof grpc - 1;

    return len >= own && is_named(value, own, grpc) && (len == own || value[own] == '+' || value[own] == ';');
}

static void read_type(struct grpc_answer *answer, const char *value, size_t len)
{
    answer->is_foreign = !is_grpc_type(value, len);
    text_printable(value, len, answer->type, sizeof answer->type);
}

static void read_status(struct grpc_answer *answer, const char *value, size_t len)
{
    answer->n_statuses++;
    answer->unreadable = !text_to_u64(value, len, &answer->code);
    text_printable(value, len, answer->said, sizeof answer->said);
}

/* What is no base64, or too much, is left out: details never decide. */
static int32_t read_details(struct grpc_answer *answer, const char *value, size_t len)
{
    size_t size = grpc_base64_size(value, len);
    uint8_t *room;

    buf_clear(&answer->details);
    if (size == 0 || size > GRPC_DETAILS_MOST)
        return 0;
    room = buf_room(&answer->details, size);
    if (!room)
        return MESH_ERR_NOMEM;
    grpc_base64_read(value, len, room);
    buf_added(&answer->details, size);
    return 0;
}

static void forget_status(struct grpc_answer *answer)
{
    answer->n_statuses = 0;
    answer->message[0] = '\0';
    buf_clear(&answer->details);
    answer->has_trailer = true;
}

static int32_t read_end(struct grpc_answer *answer, const char *name, size_t name_len, const char *value,
                        size_t value_len)
{
    if (is_named(name, name_len, "grpc-status"))
        read_status(answer, value, value_len);
    if (is_named(name, name_len, "grpc-message"))
        grpc_message_read(value, value_len, answer->message, sizeof answer->message);
    if (is_named(name, name_len, "grpc-status-details-bin"))
        return read_details(answer, value, value_len);
    return 0;
}

int32_t grpc_answer_header(struct grpc_answer *answer, const char *name, size_t name_len, const char *value,
                           size_t value_len, bool is_trailer)
{
    if (is_trailer && !answer->has_trailer)
        forget_status(answer);
    if (!is_trailer && is_named(name, name_len, "content-type"))
        read_type(answer, value, value_len);
    if (!is_trailer && is_named(name, name_len, "grpc-encoding"))
        answer->encoding = grpc_encoding_of(value, value_len);
    return read_end(answer, name, name_len, value, value_len);
}

void grpc_answer_head(struct grpc_answer *answer, int http_status)
{
    answer->http_status = http_status;
}

void grpc_answer_body(struct grpc_answer *answer)
{
    if (!answer->has_trailer)
        forget_status(answer);
}

bool grpc_answer_is_other(const struct grpc_answer *answer)
{
    return answer->http_status != 200 || answer->is_foreign;
}

static void judge_other(const struct grpc_answer *answer, struct grpc_status *status)
{
    enum grpc_code code = grpc_code_of_http(answer->http_status);

    if (answer->is_foreign)
        grpc_status_set(status, code, "the answer is not gRPC's: HTTP status %d, content-type %s", answer->http_status,
                        answer->type);
    else
        grpc_status_set(status, code, "the answer has HTTP status %d", answer->http_status);
}

static void judge_said(const struct grpc_answer *answer, struct grpc_status *status)
{
    *status = (struct grpc_status){ .code = (enum grpc_code) answer->code, .from_peer = true };
    if (answer->code >= GRPC_CODES)
        status->code = GRPC_UNKNOWN;
    memcpy(status->message, answer->message, sizeof status->message);
    status->n_details = buf_len(&answer->details);
    status->details = status->n_details > 0 ? buf_bytes(&answer->details) : NULL;
    if (answer->code >= GRPC_CODES && status->message[0] == '\0')
        grpc_status_set(status, GRPC_UNKNOWN, "grpc-status %s is no code that is known", answer->said);
}

static bool claims_success(const struct grpc_answer *answer)
{
    return answer->n_statuses == 1 && !answer->unreadable && answer->code == GRPC_OK;
}

/* A grpc-status counts whatever the HTTP status is, but it does not make a success of another than 200. */
void grpc_answer_judge(const struct grpc_answer *answer, struct grpc_status *status)
{
    bool says_nothing = answer->n_statuses == 0 || claims_success(answer);

    if (answer->is_foreign || (grpc_answer_is_other(answer) && says_nothing))
        judge_other(answer, status);
    else if (answer->n_statuses == 0)
        grpc_status_set(status, GRPC_UNKNOWN, "the answer has no grpc-status");
    else if (answer->n_statuses > 1)
        grpc_status_set(status, GRPC_UNKNOWN, "the answer has grpc-status %u times", answer->n_statuses);
    else if (answer->unreadable)
        grpc_status_set(status, GRPC_UNKNOWN, "grpc-status \"%s\" is not a number", answer->said);
    else
        judge_said(answer, status);
}

void grpc_answer_free(struct grpc_answer *answer)
{
    buf_free(&answer->details);
}
