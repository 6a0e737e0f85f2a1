#include "unit.h"

#include "base/list.h"

struct item {
    int value;
    struct list node;
};

static void assert_order(struct list *head, const int *values, size_t count)
{
    struct list *at = head->next;
    for (size_t i = 0; i < count; i++, at = at->next) {
        assert_ptr_not_equal(at, head);
        assert_int_equal(LIST_OWNER(at, struct item, node)->value, values[i]);
        assert_ptr_equal(at->next->prev, at);
    }
    assert_ptr_equal(at, head);
}

static void test_append_and_remove(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));

    struct item items[3];
    for (int i = 0; i < 3; i++) {
        items[i].value = i;
        list_init(&items[i].node);
        list_append(&head, &items[i].node);
    }
    assert_false(list_empty(&head));
    assert_order(&head, (const int[]){0, 1, 2}, 3);

    list_remove(&items[1].node);
    assert_order(&head, (const int[]){0, 2}, 2);
    assert_true(list_empty(&items[1].node));
    list_remove(&items[1].node);
    assert_order(&head, (const int[]){0, 2}, 2);

    list_append(&head, &items[1].node);
    assert_order(&head, (const int[]){0, 2, 1}, 3);
    for (int i = 0; i < 3; i++)
        list_remove(&items[i].node);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_and_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
