/* One look-up of a name at a time, few names at once. */
#include "lookups.h"

#include <stdio.h>

#include "support/check.h"

static void the_second_waits_for_the_first_and_goes_when_the_address_is_known(void)
{
    http__lookups_t lookups;
    http__lookup_t first = {.host = "a:80"};
    http__lookup_t second = {.host = "a:80"};
    http__lookup_t third = {.host = "a:80"};

    http__lookups_init(&lookups);
    CHECK(http__lookups_ask(&lookups, &first, 0));
    CHECK(!http__lookups_ask(&lookups, &second, 0));
    CHECK(http__lookups_next(&lookups, 0) == NULL);
    http__lookups_resolved(&lookups, &first, 10);
    CHECK(http__lookups_next(&lookups, 10) == &second);
    CHECK(http__lookups_next(&lookups, 10) == NULL);
    CHECK(http__lookups_ask(&lookups, &third, 20));
    CHECK(third.leads == NULL);
    http__lookups_fini(&lookups);
}

static void another_host_or_port_does_not_wait(void)
{
    http__lookups_t lookups;
    http__lookup_t first = {.host = "a:80"};
    http__lookup_t port = {.host = "a:81"};
    http__lookup_t host = {.host = "b:80"};
    http__lookup_t none = {.host = NULL};

    http__lookups_init(&lookups);
    CHECK(http__lookups_ask(&lookups, &first, 0));
    CHECK(http__lookups_ask(&lookups, &port, 0));
    CHECK(http__lookups_ask(&lookups, &host, 0));
    CHECK(http__lookups_ask(&lookups, &none, 0));
    http__lookups_leave(&lookups, &first);
    http__lookups_leave(&lookups, &port);
    http__lookups_leave(&lookups, &host);
    http__lookups_leave(&lookups, &none);
    http__lookups_fini(&lookups);
}

static void a_leader_that_gives_up_is_followed_by_another_leader(void)
{
    http__lookups_t lookups;
    http__lookup_t first = {.host = "a:80"};
    http__lookup_t second = {.host = "a:80"};
    http__lookup_t third = {.host = "a:80"};

    http__lookups_init(&lookups);
    CHECK(http__lookups_ask(&lookups, &first, 0));
    CHECK(!http__lookups_ask(&lookups, &second, 0));
    CHECK(!http__lookups_ask(&lookups, &third, 0));
    http__lookups_leave(&lookups, &first);
    CHECK(http__lookups_next(&lookups, 0) == &second);
    CHECK(second.leads != NULL);
    CHECK(http__lookups_next(&lookups, 0) == NULL);
    http__lookups_leave(&lookups, &third);
    http__lookups_leave(&lookups, &second);
    CHECK(http__lookups_next(&lookups, 0) == NULL);
    http__lookups_fini(&lookups);
}

static void a_name_is_looked_up_again_when_it_is_stale(void)
{
    http__lookups_t lookups;
    http__lookup_t first = {.host = "a:80"};
    http__lookup_t fresh = {.host = "a:80"};
    http__lookup_t stale = {.host = "a:80"};

    http__lookups_init(&lookups);
    CHECK(http__lookups_ask(&lookups, &first, 0));
    http__lookups_resolved(&lookups, &first, 0);
    CHECK(http__lookups_ask(&lookups, &fresh, HTTP__LOOKUP_FRESH_MS - 1));
    CHECK(fresh.leads == NULL);
    CHECK(http__lookups_ask(&lookups, &stale, HTTP__LOOKUP_FRESH_MS));
    CHECK(stale.leads != NULL);
    http__lookups_leave(&lookups, &stale);
    http__lookups_fini(&lookups);
}

static void no_more_than_the_limit_are_looked_up_at_once(void)
{
    static char hosts[HTTP__LOOKUPS_MAX + 2][16];
    static http__lookup_t all[HTTP__LOOKUPS_MAX + 2];
    http__lookups_t lookups;

    http__lookups_init(&lookups);
    for (size_t i = 0; i < HTTP__LOOKUPS_MAX + 2; i++) {
        (void)snprintf(hosts[i], sizeof(hosts[i]), "h%zu:80", i);
        all[i].host = hosts[i];
        CHECK_EQ(http__lookups_ask(&lookups, &all[i], 0), i < HTTP__LOOKUPS_MAX);
    }
    http__lookups_resolved(&lookups, &all[3], 0);
    CHECK(http__lookups_next(&lookups, 0) == &all[HTTP__LOOKUPS_MAX]);
    CHECK(http__lookups_next(&lookups, 0) == NULL);
    http__lookups_leave(&lookups, &all[4]);
    CHECK(http__lookups_next(&lookups, 0) == &all[HTTP__LOOKUPS_MAX + 1]);
    for (size_t i = 0; i < HTTP__LOOKUPS_MAX + 2; i++) {
        http__lookups_leave(&lookups, &all[i]);
    }
    http__lookups_fini(&lookups);
}

static void those_that_wait_for_a_name_can_be_taken(void)
{
    http__lookups_t lookups;
    http__lookup_t leader = {.host = "a:80"};
    http__lookup_t other = {.host = "b:80"};
    http__lookup_t waiting[3] = {{.host = "a:80"}, {.host = "b:80"}, {.host = "a:80"}};

    http__lookups_init(&lookups);
    CHECK(http__lookups_ask(&lookups, &leader, 0));
    CHECK(http__lookups_ask(&lookups, &other, 0));
    for (size_t i = 0; i < 3; i++) {
        CHECK(!http__lookups_ask(&lookups, &waiting[i], 0));
    }
    CHECK(http__lookups_take(&lookups, "a:80") == &waiting[0]);
    CHECK(http__lookups_take(&lookups, "a:80") == &waiting[2]);
    CHECK(http__lookups_take(&lookups, "a:80") == NULL);
    http__lookups_leave(&lookups, &waiting[1]);
    http__lookups_leave(&lookups, &leader);
    http__lookups_leave(&lookups, &other);
    http__lookups_fini(&lookups);
}

static void what_is_remembered_is_bounded(void)
{
    http__lookups_t lookups;
    char host[16];
    http__lookup_t again = {.host = "h0:80"};
    http__lookup_t recent = {.host = "h299:80"};

    http__lookups_init(&lookups);
    for (unsigned i = 0; i < 300; i++) {
        http__lookup_t lookup = {.host = host};

        (void)snprintf(host, sizeof(host), "h%u:80", i);
        CHECK(http__lookups_ask(&lookups, &lookup, i));
        http__lookups_resolved(&lookups, &lookup, i);
        CHECK(lookups.known_count <= HTTP__LOOKUPS_KNOWN);
    }
    CHECK(http__lookups_ask(&lookups, &recent, 300));
    CHECK(recent.leads == NULL);
    CHECK(http__lookups_ask(&lookups, &again, 300));
    CHECK(again.leads != NULL);
    http__lookups_leave(&lookups, &again);
    http__lookups_fini(&lookups);
}

TESTS(TEST(the_second_waits_for_the_first_and_goes_when_the_address_is_known),
      TEST(another_host_or_port_does_not_wait),
      TEST(a_leader_that_gives_up_is_followed_by_another_leader),
      TEST(a_name_is_looked_up_again_when_it_is_stale),
      TEST(no_more_than_the_limit_are_looked_up_at_once),
      TEST(those_that_wait_for_a_name_can_be_taken), TEST(what_is_remembered_is_bounded))
