/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages: SRV records with their names and TTLs, and what replies of any kind are noted for. */
#include "fuzz.h"

#include "net/resolver_answer.h"

static void read_srv(const uint8_t *packet, size_t len)
{
    struct resolver_question question = {
        .name = "_users._tcp.example", .srv = true, .servers = "127.0.0.1", .timeout_ms = 1000, .tries = 2
    };
    struct resolver_notes notes = { 0 };
    struct resolver_result result;

    resolver_note_reply(&notes, question.name, true, packet, len);
    memset(&result, 0, sizeof result);
    resolver_result_srv(&result, &question, &notes, ARES_SUCCESS, packet, len);
    for (size_t i = 0; i < result.records.n; i++)
        if (strlen(result.records.srvs[i].target) > 255 * 4)
            abort();
    resolver_result_free(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolver_notes notes = { 0 };
    struct srv_records records;

    if (srv_records_read(&records, data, size) == 0)
        srv_records_free(&records);
    read_srv(data, size);
    resolver_note_reply(&notes, "users.example", false, data, size);
    return 0;
}
