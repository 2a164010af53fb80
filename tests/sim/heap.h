/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are under way, the next one first: a heap of four children a node. */
#ifndef SIM_HEAP_H
#define SIM_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_answer {
    double at_us, began_us;
    uint16_t client, server;
    bool failed;
};

struct sim_heap {
    struct sim_answer *answers;
    size_t n, room;
};

void sim_heap_push(struct sim_heap *heap, const struct sim_answer *answer);
/* Only when n is not 0. */
struct sim_answer sim_heap_pop(struct sim_heap *heap);

#endif
