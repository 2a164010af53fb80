/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a set of endpoints beside what. */
#include "source/xds/endpoints_making.h"

#include <string.h>

/* Host names are no longer than 253. */
enum { SHORT_TEXT = 256 };

const struct wire_limits endpoints_part_limits = {
    .bytes = (size_t) 1 << 20,
    .fields = (size_t) 1 << 16,
    .memory = (size_t) 16 << 20,
    .depth = WIRE_DEPTH_MAX,
};

bool endpoints_making_begin(struct endpoints_making *making, struct reading *reading, const char *source)
{
    *making = (struct endpoints_making){ .reading = reading };
    making->set = model_endpoints_new(ENDPOINTS_READY, source, 0);
    return making->set != NULL;
}

void endpoints_making_free(struct endpoints_making *making)
{
    model_endpoints_unref(making->set);
    lookup_free(&making->addresses);
    lookup_free(&making->places);
    lookup_free(&making->labels);
    lookup_free(&making->metadata_bytes);
    mem_free(making->metadata);
    mem_free(making->runs);
}

/* ---- addresses ---- */

struct address_search {
    const struct model_endpoints *set;
    const struct addr *addr;
};

static bool is_address(const void *user, uint32_t number)
{
    const struct address_search *search = user;
    const struct model_endpoint *endpoint = &search->set->endpoints[number / 2];
    bool second = number % 2 != 0;

    return addr_equal(second ? &model_endpoint_rare(search->set, endpoint)->alternative : &endpoint->addr,
                      search->addr);
}

static int32_t remember(struct endpoints_making *making, const struct addr *addr, uint32_t number)
{
    struct address_search search = { making->set, addr };
    uint64_t hash = addr_hash(addr);
    char text[ADDR_TEXT];

    if (lookup_find(&making->addresses, hash, is_address, &search) != LOOKUP_NONE)
        return reading_wrong_at(making->reading, "endpoint.address", "%s stands twice in the resource",
                                addr_format(addr, text));
    return lookup_add(&making->addresses, hash, number) ? 0 : reading_no_memory(making->reading);
}

int32_t endpoints_expect(struct endpoints_making *making, size_t n)
{
    bool has_room = lookup_reserve(&making->addresses, making->addresses.count + n);

    return has_room ? 0 : reading_no_memory(making->reading);
}

/* ---- endpoints ---- */

/* As a text that ends: in `room` if it fits, else kept. NULL: out of memory. */
static const char *end_text(struct endpoints_making *making, const char *text, size_t len, char room[SHORT_TEXT])
{
    if (len >= SHORT_TEXT)
        return model_endpoints_text(making->set, text, len);
    memcpy(room, text, len);
    room[len] = '\0';
    return room;
}

static bool fill_rare(struct endpoints_making *making, const struct endpoint_read *read,
                      struct model_endpoint *endpoint)
{
    struct model_rare rare = { .alternative = read->alternative, .hostname = "", .hash_key = "" };
    char room[SHORT_TEXT];

    if (read->metadata == 0 && read->hostname_len == 0 && read->alternative.family == ADDR_NONE)
        return true;
    if (read->metadata > 0) {
        rare.labels = making->metadata[read->metadata - 1].labels;
        rare.hash_key = making->metadata[read->metadata - 1].hash_key;
    }
    rare.hostname = end_text(making, read->hostname, read->hostname_len, room);
    endpoint->rare = rare.hostname ? model_endpoints_rare(making->set, &rare) : LOOKUP_NONE;
    return endpoint->rare != LOOKUP_NONE;
}

static bool fill(struct endpoints_making *making, const struct endpoint_read *read, struct model_endpoint *endpoint)
{
    struct model_endpoints *set = making->set;

    endpoint->addr = read->addr;
    endpoint->weight = read->weight;
    endpoint->health = (uint8_t) read->health;
    endpoint->unchecked = read->unchecked;
    endpoint->locality = (uint32_t) set->n_localities; /* made at its end */
    if (read->addr.family == ADDR_UNIX)
        endpoint->addr.path = model_endpoints_text(set, read->addr.path, strlen(read->addr.path));
    if (read->addr.family == ADDR_UNIX && !endpoint->addr.path)
        return false;
    return fill_rare(making, read, endpoint);
}

int32_t endpoints_add(struct endpoints_making *making, const struct endpoint_read *read)
{
    uint32_t number = (uint32_t) making->set->n;
    struct model_endpoint *endpoint;
    int32_t err = 0;

    making->weights += read->weight;
    if (making->weights > UINT32_MAX)
        return reading_wrong_at(making->reading, "load_balancing_weight",
                                "the weights of the locality sum up to more than %u", UINT32_MAX);
    if (number >= UINT32_MAX / 2)
        return fault_set(making->reading->fault, MESH_ERR_TOO_LARGE, "more than %u endpoints", UINT32_MAX / 2);
    err = remember(making, &read->addr, 2 * number);
    endpoint = err ? NULL : model_endpoints_add(making->set);
    if (!err && (!endpoint || !fill(making, read, endpoint)))
        err = reading_no_memory(making->reading);
    if (!err && read->alternative.family != ADDR_NONE)
        err = remember(making, &read->alternative, 2 * number + 1);
    return err;
}

/* ---- localities ---- */

void endpoints_begin_locality(struct endpoints_making *making)
{
    making->place = (struct model_locality){ .region = "", .zone = "", .sub_zone = "" };
    making->weights = 0;
}

struct place_search {
    const struct model_endpoints *set;
    const struct model_locality *place;
};

static bool is_place(const void *user, uint32_t number)
{
    const struct place_search *search = user;
    const struct model_locality *a = &search->set->localities[number], *b = search->place;

    return a->priority == b->priority && strcmp(a->region, b->region) == 0 && strcmp(a->zone, b->zone) == 0 &&
           strcmp(a->sub_zone, b->sub_zone) == 0;
}

static uint64_t hash_place(const struct model_locality *place)
{
    uint64_t parts[] = { hash_bytes(place->region, strlen(place->region)), hash_bytes(place->zone, strlen(place->zone)),
                         hash_bytes(place->sub_zone, strlen(place->sub_zone)), place->priority };

    return hash_bytes(parts, sizeof parts);
}

static int32_t check_place(struct endpoints_making *making, uint64_t hash)
{
    const struct model_locality *place = &making->place;
    struct place_search search = { making->set, place };

    if (place->priority >= ENDPOINTS_PRIORITIES)
        return reading_wrong_at(making->reading, "priority", "%u, allowed is 0 to %d", place->priority,
                                ENDPOINTS_PRIORITIES - 1);
    if (lookup_find(&making->places, hash, is_place, &search) != LOOKUP_NONE)
        return reading_wrong_at(making->reading, "locality",
                                "region \"%.50s\", zone \"%.50s\", sub_zone \"%.50s\" stands twice in priority %u",
                                place->region, place->zone, place->sub_zone, place->priority);
    making->priority_weights[place->priority] += place->weight;
    if (making->priority_weights[place->priority] > UINT32_MAX)
        return reading_wrong_at(making->reading, "load_balancing_weight",
                                "the weights of the localities of priority %u sum up to more than %u", place->priority,
                                UINT32_MAX);
    return 0;
}

int32_t endpoints_end_locality(struct endpoints_making *making)
{
    uint64_t hash = hash_place(&making->place);
    int32_t err = check_place(making, hash);
    uint32_t number;

    if (err)
        return err;
    if (making->set->n_localities > ENDPOINTS_LOCALITIES_MOST)
        return fault_set(making->reading->fault, MESH_ERR_TOO_LARGE, "more than %d localities",
                         ENDPOINTS_LOCALITIES_MOST);
    number = model_endpoints_add_locality(making->set, &making->place);
    if (number == LOOKUP_NONE || !lookup_add(&making->places, hash, number))
        return reading_no_memory(making->reading);
    making->priority_is_there[making->place.priority] = true;
    return 0;
}

/* ---- the whole ---- */

static int32_t check_gaps(struct endpoints_making *making)
{
    int gap = -1;

    for (int i = 0; i < ENDPOINTS_PRIORITIES; i++) {
        if (!making->priority_is_there[i] && gap < 0)
            gap = i;
        if (making->priority_is_there[i] && gap >= 0)
            return reading_wrong_at(making->reading, "endpoints", "there is priority %d, but no priority %d", i, gap);
    }
    return 0;
}

int32_t endpoints_making_end(struct endpoints_making *making, struct model_endpoints **out)
{
    int32_t err = check_gaps(making);

    if (err)
        return err;
    model_endpoints_finish(making->set);
    *out = making->set;
    making->set = NULL;
    return 0;
}
