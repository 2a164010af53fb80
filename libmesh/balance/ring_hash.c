/* SPDX-License-Identifier: Apache-2.0 */
/* Consistent hashing on a ring, point for point as Envoy's RING_HASH with XX_HASH (source/extensions/load_balancing_policies/
 * ring_hash), after Karger et al.: Consistent Hashing and Random Trees, 1997, and ketama: each endpoint has points on a ring of
 * hashes in proportion to its weight, and a key belongs to the first point at or after it.
 *
 * Hashes are evenly spread, so their first bits say within a step or two where a point is: buckets take the place of
 * sorting and of binary search. Slow start does not apply: a key has its endpoint. */
#include "balance/balance.h"

#include <math.h>
#include <string.h>

#define STANDARD_MIN_SIZE UINT64_C(1024)
#define STANDARD_MAX_SIZE UINT64_C(8388608)
/* Longest name on a ring, "_" and number included; a longer one (no address is) counts by its beginning. */
enum { POINT_NAME = 160, MOST_BITS = 31 };

struct point {
    uint64_t hash;
    uint32_t at; /* index into the view */
};

struct ring {
    size_t n;
    struct point *points; /* by hash */
    unsigned bits;
    uint32_t *buckets; /* by the first bits of the hash: where its points begin; one more at the end */
};

struct ring_hash {
    struct balancer balancer;
    uint64_t min_size, max_size;
    uint32_t balance_percent;
    struct ring ring;
};

static struct balancer *make(const struct balance_conf *conf)
{
    struct ring_hash *self = mem_zalloc(sizeof *self);

    if (!self)
        return NULL;
    self->balancer.ops = &balance_ring_hash;
    self->balance_percent = conf->hash_balance_percent;
    self->min_size = conf->ring_min_size ? conf->ring_min_size : STANDARD_MIN_SIZE;
    self->max_size = conf->ring_max_size ? conf->ring_max_size : STANDARD_MAX_SIZE;
    return &self->balancer;
}

static void ring_free(struct ring *ring)
{
    mem_free(ring->points);
    mem_free(ring->buckets);
}

static void drop(struct balancer *balancer)
{
    struct ring_hash *self = CONTAINER_OF(balancer, struct ring_hash, balancer);

    ring_free(&self->ring);
    mem_free(self);
}

/* ---- how many points each endpoint has: Envoy's arithmetic, rounding included ---- */

static double weight_at(const struct balance_view *view, size_t at)
{
    return (double) atomic_load_explicit(&view->endpoints[at]->weight, memory_order_relaxed);
}

/* Points of an endpoint with all the weight: the lightest one gets a whole number, within the limits of the ring's size. */
static double scale_of(const struct ring_hash *self, double least_share)
{
    return fmin(ceil(least_share * (double) self->min_size) / least_share, (double) self->max_size);
}

/* What an endpoint's share is short of a whole point goes to those after it. Returns the sum of the counts. */
static size_t count_points(const struct ring_hash *self, const struct balance_view *view, uint32_t *counts)
{
    double sum = 0, least = INFINITY, scale, wanted = 0;
    size_t n = 0;

    for (size_t i = 0; i < view->n; i++) {
        sum += weight_at(view, i);
        least = fmin(least, weight_at(view, i));
    }
    scale = scale_of(self, least / sum);
    for (size_t i = 0; i < view->n; i++) {
        wanted += scale * (weight_at(view, i) / sum);
        for (; (double) n < wanted; n++)
            counts[i]++;
    }
    return n;
}

/* ---- the points ---- */

/* "10.0.0.7:8080_0", "10.0.0.7:8080_1", ... : a name that grows a number at its end. */
struct point_name {
    size_t len;
    char text[POINT_NAME];
};

static void begin_name(struct point_name *name, const char *key)
{
    size_t len = strlen(key), most = POINT_NAME - 12;

    name->len = len < most ? len : most;
    memcpy(name->text, key, name->len);
    name->text[name->len++] = '_';
}

static uint64_t hash_name(struct point_name *name, uint32_t number)
{
    char digits[10];
    size_t n = 0, len = name->len;

    do
        digits[n++] = (char) ('0' + number % 10);
    while (number /= 10);
    while (n > 0)
        name->text[len++] = digits[--n];
    return xxh64(name->text, len, 0);
}

static void fill_points(struct point *points, const struct balance_view *view, const uint32_t *counts)
{
    struct point_name name = { 0 };

    for (uint32_t at = 0; at < view->n; at++) {
        begin_name(&name, view->endpoints[at]->hash_key);
        for (uint32_t i = 0; i < counts[at]; i++)
            *points++ = (struct point){ hash_name(&name, i), at };
    }
}

/* ---- the ring ---- */

static size_t bucket_of(const struct ring *ring, uint64_t hash)
{
    return (size_t) (hash >> (64 - ring->bits));
}

/* As many buckets as points, to the next power of two. */
static bool ring_alloc(struct ring *ring, size_t n)
{
    *ring = (struct ring){ .n = n, .bits = 1 };
    while (ring->bits < MOST_BITS && (size_t) 1 << ring->bits < n)
        ring->bits++;
    ring->points = mem_array(n, sizeof *ring->points);
    ring->buckets = mem_array(((size_t) 1 << ring->bits) + 1, sizeof *ring->buckets);
    return ring->points && ring->buckets;
}

/* What stands before a bucket is less: points of lower buckets, or zeros where such are to come. */
static void insert(const struct point *begin, struct point *end, const struct point *point)
{
    while (end > begin && end[-1].hash > point->hash) {
        *end = end[-1];
        end--;
    }
    *end = *point;
}

/* Counts, then places: buckets[b + 1] is where bucket b begins, and moves to where it ends. */
static void sort_points(struct ring *ring, const struct point *points)
{
    size_t n_buckets = (size_t) 1 << ring->bits;
    uint32_t begin = 0;

    for (size_t i = 0; i < ring->n; i++)
        ring->buckets[bucket_of(ring, points[i].hash) + 1]++;
    for (size_t b = 0; b < n_buckets; b++) {
        uint32_t count = ring->buckets[b + 1];

        ring->buckets[b + 1] = begin;
        begin += count;
    }
    for (size_t i = 0; i < ring->n; i++) {
        uint32_t *end = &ring->buckets[bucket_of(ring, points[i].hash) + 1];

        insert(ring->points, &ring->points[(*end)++], &points[i]);
    }
}

/* The points in the order of their endpoints, unsorted; their number in *n. NULL: out of memory. */
static struct point *make_points(const struct ring_hash *self, const struct balance_view *view, size_t *n)
{
    uint32_t *counts = mem_array(view->n, sizeof *counts);
    struct point *points = NULL;

    if (counts) {
        *n = count_points(self, view, counts);
        points = mem_array(*n, sizeof *points);
    }
    if (points)
        fill_points(points, view, counts);
    mem_free(counts);
    return points;
}

static bool prepare(struct balancer *balancer, const struct balance_view *view)
{
    struct ring_hash *self = CONTAINER_OF(balancer, struct ring_hash, balancer);
    struct ring ring = { 0 };
    size_t n = 0;
    struct point *points = make_points(self, view, &n);
    bool made = points && ring_alloc(&ring, n);

    if (made) {
        sort_points(&ring, points);
        ring_free(&self->ring);
        self->ring = ring;
    } else {
        ring_free(&ring);
    }
    mem_free(points);
    return made;
}

/* ---- the choice ---- */

static size_t first_from(const struct ring *ring, uint64_t key)
{
    size_t b = bucket_of(ring, key), at = ring->buckets[b];

    while (at < ring->buckets[b + 1] && ring->points[at].hash < key)
        at++;
    return at < ring->n ? at : 0;
}

static size_t pick(struct balancer *balancer, const struct balance_view *view, const struct balance_hint *hint,
                   struct rand *dice)
{
    struct ring_hash *self = CONTAINER_OF(balancer, struct ring_hash, balancer);
    const struct ring *ring = &self->ring;
    size_t first, at;

    if (ring->n == 0) /* not prepared */
        return balance_view_sample(view, dice);
    first = at = first_from(ring, hint->key);
    while (balance_was_tried(hint, view->endpoints[ring->points[at].at])) {
        at = at + 1 < ring->n ? at + 1 : 0;
        if (at == first)
            break;
    }
    if (self->balance_percent > 0)
        return balance_bounded(view, ring->points[at].at, hint, self->balance_percent);
    return ring->points[at].at;
}

const struct balance_ops balance_ring_hash = { "ring_hash", true, make, prepare, pick, drop, NULL, false };
