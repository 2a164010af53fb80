/* SPDX-License-Identifier: Apache-2.0 */
/* Walking the answer section of an SRV reply. */
#include "net/resolver_srv.h"

#include <stdlib.h>
#include <string.h>

#include "net/resolver_wire.h"

enum { MOST_CNAMES = 16, SMALLEST_RECORD = 18 };

/* What is known while an answer section is walked. */
struct walk {
    struct wire answers; /* at the first record of the section */
    unsigned n_answers;
    char name[WIRE_NAME]; /* whose records are wanted: the question's, then where its CNAMEs lead */
    uint32_t ttl_s;
};

static void least(uint32_t *ttl, uint32_t other)
{
    if (other < *ttl)
        *ttl = other;
}

/* False when no CNAME of the current name is there. The order of records means nothing. */
static bool follow_cname(struct walk *walk)
{
    struct wire w = walk->answers;
    struct wire_record record;

    for (unsigned i = 0; i < walk->n_answers && wire_record(&w, &record); i++) {
        struct wire data = w;

        if (record.type != WIRE_TYPE_CNAME || record.class != WIRE_CLASS_IN || strcmp(record.owner, walk->name) != 0)
            continue;
        data.at = record.data;
        wire_name(&data, walk->name);
        least(&walk->ttl_s, record.ttl);
        return !data.bad;
    }
    return false;
}

static bool read_srv(struct wire data, struct net_srv *out, char target[WIRE_NAME])
{
    out->priority = wire_u16(&data);
    out->weight = wire_u16(&data);
    out->port = wire_u16(&data);
    wire_name(&data, target);
    return !data.bad && strcmp(target, "?") != 0;
}

/* Records whose data makes no sense are left out: the others may still serve. */
static bool collect(struct walk *walk, struct srv_records *out, struct buf *targets)
{
    struct wire w = walk->answers;
    struct wire_record record;
    char target[WIRE_NAME];

    for (unsigned i = 0; i < walk->n_answers && wire_record(&w, &record); i++) {
        struct wire data = w;

        if (record.type != WIRE_TYPE_SRV || record.class != WIRE_CLASS_IN || strcmp(record.owner, walk->name) != 0)
            continue;
        data.at = record.data;
        data.len = record.data + record.data_len;
        if (!read_srv(data, &out->srvs[out->n], target))
            continue;
        if (!buf_append(targets, target, strlen(target) + 1))
            return false;
        least(&walk->ttl_s, record.ttl);
        out->n++;
    }
    return true;
}

static int by_preference(const void *a, const void *b)
{
    const struct net_srv *x = a, *y = b;
    int order;

    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    order = strcmp(x->target, y->target);
    return order ? order : (int) x->port - (int) y->port;
}

static void sort(struct srv_records *records)
{
    const char *target = records->targets;
    size_t n = 0;

    if (!target)
        return;
    for (size_t i = 0; i < records->n; i++) {
        records->srvs[i].target = target;
        target += strlen(target) + 1;
    }
    qsort(records->srvs, records->n, sizeof *records->srvs, by_preference);
    for (size_t i = 0; i < records->n; i++)
        if (n == 0 || by_preference(&records->srvs[n - 1], &records->srvs[i]) != 0)
            records->srvs[n++] = records->srvs[i];
    records->n = n;
}

/* Every record up to the promised number can be read. */
static bool well_formed(const struct walk *walk)
{
    struct wire w = walk->answers;
    struct wire_record record;

    for (unsigned i = 0; i < walk->n_answers; i++)
        if (!wire_record(&w, &record))
            return false;
    return true;
}

int32_t srv_records_read(struct srv_records *out, const uint8_t *packet, size_t len)
{
    struct walk walk = { .answers = wire_begin(packet, len), .ttl_s = UINT32_MAX };
    struct wire_head head = wire_read_head(&walk.answers);
    struct buf targets = { 0 };
    size_t most = head.answers < len / SMALLEST_RECORD ? head.answers : len / SMALLEST_RECORD;
    uint16_t type;

    *out = (struct srv_records){ 0 };
    wire_question(&walk.answers, walk.name, &type);
    walk.n_answers = head.answers;
    if (walk.answers.bad || head.questions != 1 || !well_formed(&walk))
        return MESH_ERR_DNS;
    for (unsigned i = 0; i < MOST_CNAMES && follow_cname(&walk); i++)
        continue;
    out->srvs = mem_array(most + 1, sizeof *out->srvs);
    if (!out->srvs || !collect(&walk, out, &targets)) {
        buf_free(&targets);
        srv_records_free(out);
        return MESH_ERR_NOMEM;
    }
    out->targets = (char *) targets.data;
    out->ttl_s = out->n > 0 ? walk.ttl_s : 0;
    sort(out);
    return 0;
}

void srv_records_free(struct srv_records *records)
{
    mem_free(records->srvs);
    mem_free(records->targets);
    *records = (struct srv_records){ 0 };
}
