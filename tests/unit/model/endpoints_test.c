/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint sets: their text stays where it is, they compare by content, nothing leaks when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "model/model.h"

static void fill(struct model_endpoints *set)
{
    for (size_t i = 0; i < set->n; i++) {
        char ip[32];

        snprintf(ip, sizeof ip, "10.0.0.%zu", i);
        assert_true(addr_parse(&set->endpoints[i].addr, ip, strlen(ip), 80));
        assert_true(model_endpoints_place(set, &set->endpoints[i], "zone-a", 0));
    }
}

static void endpoints_begin_with_defaults(void **state)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", 2);

    (void) state;
    assert_int_equal(set->n, 2);
    assert_int_equal(set->endpoints[1].weight, 1);
    assert_int_equal(model_endpoint_locality(set, &set->endpoints[1])->priority, 0);
    assert_string_equal(model_endpoint_locality(set, &set->endpoints[1])->label, "");
    assert_string_equal(model_endpoint_rare(set, &set->endpoints[1])->hostname, "");
    assert_int_equal(model_endpoint_rare(set, &set->endpoints[1])->alternative.family, ADDR_NONE);
    assert_ptr_equal(model_endpoints_ref(set), set);
    model_endpoints_unref(set);
    model_endpoints_unref(set);
    model_endpoints_unref(NULL);
}

static void text_never_moves(void **state)
{
    enum { N = 5000 };
    static const char *kept[N];
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "dns", 0);
    char text[300];

    (void) state;
    for (int i = 0; i < N; i++) {
        int len = snprintf(text, sizeof text, "host-%d.%0*d", i, i % 200 + 1, 0);

        kept[i] = model_endpoints_text(set, text, (size_t) len);
        assert_string_equal(kept[i], text);
    }
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "host-%d.%0*d", i, i % 200 + 1, 0);
        assert_string_equal(kept[i], text);
    }
    model_endpoints_unref(set);
}

static void repeated_text_is_kept_once(void **state)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "dns", 0);
    const char *zone = model_endpoints_text(set, "a", 1);
    const char *host = model_endpoints_text(set, "ab", 2);

    (void) state;
    assert_ptr_equal(model_endpoints_text(set, "abc", 1), zone);
    assert_ptr_equal(model_endpoints_text(set, "abc", 2), host);
    assert_string_equal(model_endpoints_text(set, "abc", 3), "abc");
    assert_string_equal(model_endpoints_text(set, "x", 0), "");
    model_endpoints_unref(set);
}

static void sets_compare_by_content(void **state)
{
    struct model_endpoints *a = model_endpoints_new(ENDPOINTS_READY, "static", 3);
    struct model_endpoints *b = model_endpoints_new(ENDPOINTS_READY, "static", 3);

    (void) state;
    fill(a);
    fill(b);
    assert_true(model_endpoints_equal(a, a));
    assert_true(model_endpoints_equal(a, b));
    b->endpoints[2].weight = 2;
    assert_false(model_endpoints_equal(a, b));
    b->endpoints[2].weight = 1;
    assert_true(model_endpoints_place(b, &b->endpoints[1], "zone-b", 0));
    assert_false(model_endpoints_equal(a, b));
    assert_true(model_endpoints_place(b, &b->endpoints[1], "zone-a", 1));
    assert_false(model_endpoints_equal(a, b));
    assert_true(model_endpoints_place(b, &b->endpoints[1], "zone-a", 0));
    assert_true(model_endpoints_equal(a, b));
    assert_true(model_endpoints_name(b, &b->endpoints[0], "", &a->endpoints[1].addr));
    assert_false(model_endpoints_equal(a, b));
    b->endpoints[0].rare = 0;
    b->endpoints[0].health = ENDPOINT_DRAINING;
    assert_false(model_endpoints_equal(a, b));
    b->endpoints[0].health = ENDPOINT_HEALTHY;
    b->overprovisioning_percent = 100;
    assert_false(model_endpoints_equal(a, b));
    b->overprovisioning_percent = 0;
    b->state = ENDPOINTS_FAILED;
    assert_false(model_endpoints_equal(a, b));
    b->state = ENDPOINTS_READY;
    fault_set(&b->fault, MESH_ERR_DNS, "SERVFAIL");
    assert_false(model_endpoints_equal(a, b));
    b->fault = (struct fault){ 0 };
    b->n = 2;
    assert_false(model_endpoints_equal(a, b));
    model_endpoints_unref(a);
    model_endpoints_unref(b);
}

static bool build(void)
{
    struct model_endpoints *set = model_endpoints_new(ENDPOINTS_READY, "static", 2);
    bool ok = set && model_endpoints_text(set, "zone-a", 6) && model_endpoints_text(set, "users", 5);

    model_endpoints_unref(set);
    return ok;
}

static void every_failing_allocation_is_survived(void **state)
{
    bool fired = true;

    (void) state;
    for (uint64_t nth = 1; fired; nth++) {
        int64_t live;
        bool ok;

        mem_watch(nth, false);
        ok = build();
        fired = mem_unwatch(&live);
        assert_int_equal(ok, !fired);
        assert_int_equal(live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_begin_with_defaults),        cmocka_unit_test(text_never_moves),
        cmocka_unit_test(repeated_text_is_kept_once),           cmocka_unit_test(sets_compare_by_content),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
