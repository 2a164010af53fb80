/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: order, removal from anywhere, moving, walking while removing. */
#include "mesh_test.h"

#include <string.h>

#include "base/base.h"

struct item {
    char name;
    struct list link;
};

static const char *names(const struct list *head)
{
    static char out[16];
    size_t n = 0;

    LIST_EACH(pos, head)
        out[n++] = CONTAINER_OF(pos, struct item, link)->name;
    out[n] = '\0';
    return out;
}

static void order_is_that_of_insertion(void **state)
{
    struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' }, d = { .name = 'd' };
    struct list head;

    (void) state;
    list_init(&head);
    assert_true(list_empty(&head));
    list_push_back(&head, &b.link);
    list_push_back(&head, &d.link);
    list_push_front(&head, &a.link);
    list_insert_before(&d.link, &c.link);
    assert_string_equal(names(&head), "abcd");
    assert_false(list_empty(&head));
}

static void removal_needs_no_list_and_may_repeat(void **state)
{
    struct item a = { .name = 'a' }, b = { .name = 'b' }, never = { .name = 'x' };
    struct list head;

    (void) state;
    list_init(&head);
    assert_false(list_linked(&a.link));
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    assert_true(list_linked(&a.link));
    list_remove(&a.link);
    list_remove(&a.link);
    list_remove(&never.link);
    assert_false(list_linked(&a.link));
    assert_string_equal(names(&head), "b");
    list_push_back(&head, &a.link);
    assert_string_equal(names(&head), "ba");
}

static void pop_takes_the_first_until_none_is_left(void **state)
{
    struct item a = { .name = 'a' }, b = { .name = 'b' };
    struct list head;

    (void) state;
    list_init(&head);
    list_push_back(&head, &a.link);
    list_push_back(&head, &b.link);
    assert_ptr_equal(list_pop_front(&head), &a.link);
    assert_false(list_linked(&a.link));
    assert_ptr_equal(list_pop_front(&head), &b.link);
    assert_null(list_pop_front(&head));
}

static void take_all_appends_and_empties(void **state)
{
    struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
    struct list to, from;

    (void) state;
    list_init(&to);
    list_init(&from);
    list_take_all(&to, &from);
    assert_true(list_empty(&to));
    list_push_back(&to, &a.link);
    list_push_back(&from, &b.link);
    list_push_back(&from, &c.link);
    list_take_all(&to, &from);
    assert_string_equal(names(&to), "abc");
    assert_true(list_empty(&from));
    list_remove(&b.link);
    assert_string_equal(names(&to), "ac");
}

static void safe_walk_may_remove_where_it_stands(void **state)
{
    struct item items[] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' } };
    struct list head;

    (void) state;
    list_init(&head);
    for (size_t i = 0; i < COUNT_OF(items); i++)
        list_push_back(&head, &items[i].link);
    LIST_EACH_SAFE(pos, following, &head) {
        if (CONTAINER_OF(pos, struct item, link)->name % 2 == 1)
            list_remove(pos);
    }
    assert_string_equal(names(&head), "bd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_that_of_insertion),
        cmocka_unit_test(removal_needs_no_list_and_may_repeat),
        cmocka_unit_test(pop_takes_the_first_until_none_is_left),
        cmocka_unit_test(take_all_appends_and_empties),
        cmocka_unit_test(safe_walk_may_remove_where_it_stands),
    };

    return cmocka_run_group_tests_name("base/list", tests, NULL, NULL);
}
