/* SPDX-License-Identifier: Apache-2.0 */
/* Timers as an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): setting allocates nothing and is O(1).
 *
 * Each node points to its first child and to its next sibling; `back` is the previous sibling, or the parent of a first child. */
#include "loop/state.h"

static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
    struct loop_timer *parent = a, *child = b;

    if (!a || !b)
        return a ? a : b;
    if (b->due_us < a->due_us) {
        parent = b;
        child = a;
    }
    child->back = parent;
    child->sibling = parent->child;
    if (parent->child)
        parent->child->back = child;
    parent->child = child;
    return parent;
}

/* Two passes over a list of siblings, iterative: the list may be long after many insertions. */
static struct loop_timer *meld_siblings(struct loop_timer *first)
{
    struct loop_timer *pairs = NULL, *root = NULL;

    while (first) {
        struct loop_timer *a = first, *b = a->sibling, *pair;

        first = b ? b->sibling : NULL;
        a->sibling = a->back = NULL;
        if (b)
            b->sibling = b->back = NULL;
        pair = meld(a, b);
        pair->sibling = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct loop_timer *next = pairs->sibling;

        pairs->sibling = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void detach(struct loop *loop, struct loop_timer *timer)
{
    struct loop_timer *children = meld_siblings(timer->child);

    timer->child = NULL;
    if (timer == loop->timers) {
        loop->timers = children;
        return;
    }
    if (timer->back->child == timer)
        timer->back->child = timer->sibling;
    else
        timer->back->sibling = timer->sibling;
    if (timer->sibling)
        timer->sibling->back = timer->back;
    timer->sibling = timer->back = NULL;
    loop->timers = meld(loop->timers, children);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t due_us)
{
    loop_timer_cancel(loop, timer);
    /* Never within this turn: a timer that sets itself again does not keep the turn from ending. */
    timer->due_us = due_us > loop->now_us ? due_us : loop->now_us + 1;
    timer->child = timer->sibling = timer->back = NULL;
    timer->is_set = true;
    loop->timers = meld(loop->timers, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    if (!timer->is_set)
        return;
    timer->is_set = false;
    detach(loop, timer);
}

uint64_t loop_timer_next(const struct loop *loop)
{
    return loop->timers ? loop->timers->due_us : LOOP_FOREVER;
}

void loop_timer_run_due(struct loop *loop)
{
    while (loop->timers && loop->timers->due_us <= loop->now_us) {
        struct loop_timer *timer = loop->timers;

        loop_timer_cancel(loop, timer);
        timer->on_due(timer);
    }
}
