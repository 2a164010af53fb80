/* SPDX-License-Identifier: Apache-2.0 */
/* What a server writes down: a line an event, "EVENT microseconds id attempt method connection". The file is flushed before
 * anything is sent, so that a killed server has told everything that its clients can know. */
#include <inttypes.h>

#include "faults/server.h"

void ledger_note(struct server *server, char event, const struct request *request)
{
    fprintf(server->ledger, "%c %" PRIu64 " %s %s %s %" PRIu32 "\n", event, now_us(), request->id, request->attempt,
            request->method, request->conn ? request->conn->number : 0);
}

void ledger_note_conn(struct server *server, const struct conn *conn)
{
    fprintf(server->ledger, "c %" PRIu64 " - - - %" PRIu32 "\n", now_us(), conn->number);
}
