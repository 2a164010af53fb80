/* SPDX-License-Identifier: Apache-2.0 */
/* The heap: a node's children are 4 * i + 1 to 4 * i + 4. */
#include "sim/heap.h"

#include <stdlib.h>

void sim_heap_push(struct sim_heap *heap, const struct sim_answer *answer)
{
    size_t at = heap->n++;

    if (at == heap->room) {
        heap->room = heap->room ? 2 * heap->room : 1024;
        heap->answers = realloc(heap->answers, heap->room * sizeof *heap->answers);
        if (!heap->answers)
            abort();
    }
    while (at > 0 && heap->answers[(at - 1) / 4].at_us > answer->at_us) {
        heap->answers[at] = heap->answers[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap->answers[at] = *answer;
}

static size_t least_child(const struct sim_heap *heap, size_t at)
{
    size_t least = 4 * at + 1;

    for (size_t child = least + 1; child < heap->n && child <= 4 * at + 4; child++)
        if (heap->answers[child].at_us < heap->answers[least].at_us)
            least = child;
    return least;
}

struct sim_answer sim_heap_pop(struct sim_heap *heap)
{
    struct sim_answer first = heap->answers[0], last = heap->answers[--heap->n];
    size_t at = 0;

    while (4 * at + 1 < heap->n) {
        size_t child = least_child(heap, at);

        if (heap->answers[child].at_us >= last.at_us)
            break;
        heap->answers[at] = heap->answers[child];
        at = child;
    }
    heap->answers[at] = last;
    return first;
}
