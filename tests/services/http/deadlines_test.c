/* The heap of the times at which operations are looked at. */
#include "deadlines.h"

#include <stdlib.h>

#include "support/check.h"

#define COUNT 500

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static void the_first_is_the_earliest_whatever_is_changed(void)
{
    http__deadlines_t deadlines = {0};
    static http__deadline_t all[COUNT];

    for (size_t i = 0; i < COUNT; i++) {
        all[i] = (http__deadline_t)HTTP__DEADLINE_INIT;
        CHECK(http__deadlines_reserve(&deadlines));
    }
    for (int step = 0; step < 20000; step++) {
        http__deadline_t *changed = &all[next_random() % COUNT];
        uint64_t least = HTTP__NEVER;

        http__deadlines_set(&deadlines, changed,
                            next_random() % 4 == 0 ? HTTP__NEVER : next_random() % 1000);
        for (size_t i = 0; i < COUNT; i++) {
            least = all[i].at < least ? all[i].at : least;
        }
        if (least == HTTP__NEVER) {
            CHECK(http__deadlines_first(&deadlines) == NULL);
        } else {
            CHECK_EQ(http__deadlines_first(&deadlines)->at, least);
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        http__deadlines_leave(&deadlines, &all[i]);
    }
    CHECK(http__deadlines_first(&deadlines) == NULL);
    http__deadlines_fini(&deadlines);
}

static void they_come_out_in_order(void)
{
    http__deadlines_t deadlines = {0};
    static http__deadline_t all[COUNT];
    uint64_t last = 0;

    for (size_t i = 0; i < COUNT; i++) {
        all[i] = (http__deadline_t)HTTP__DEADLINE_INIT;
        CHECK(http__deadlines_reserve(&deadlines));
        http__deadlines_set(&deadlines, &all[i], next_random() % 100);
    }
    for (size_t i = 0; i < COUNT; i++) {
        http__deadline_t *first = http__deadlines_first(&deadlines);

        CHECK(first->at >= last);
        last = first->at;
        http__deadlines_leave(&deadlines, first);
    }
    http__deadlines_fini(&deadlines);
}

TESTS(TEST(the_first_is_the_earliest_whatever_is_changed), TEST(they_come_out_in_order))
