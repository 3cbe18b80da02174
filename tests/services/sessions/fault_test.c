/*
 * fault_test.c - how a fault is described, and when it applies.
 */
#include "http/fault.h"

#include <string.h>

#include "support/check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void description_is_read_item_by_item(void)
{
    fault_t fault;
    failure_t failure = {""};

    CHECK(fault_read(&fault,
                     "delay=20, status=503,retry-after=2,cut,cut-body=0,abort-queued,"
                     "method=POST,path=/files,every=3,times=2,audience=https://a.b\n",
                     &failure));
    CHECK_EQ(fault.delay_ms, 20);
    CHECK_EQ(fault.status, 503);
    CHECK_EQ(fault.retry_after, 2);
    CHECK_EQ(fault.cut_body, 0);
    CHECK(fault.cut && fault.abort_queued);
    CHECK_STR(fault.method, "POST");
    CHECK_STR(fault.path, "/files");
    CHECK_STR(fault.audience, "https://a.b");
    CHECK_EQ(fault.every, 3);
    CHECK_EQ(fault.times, 2);
}

static void nothing_described_is_no_fault(void)
{
    fault_t fault;
    failure_t failure = {""};

    CHECK(fault_read(&fault, " , ", &failure));
    CHECK_EQ(fault.delay_ms, 0);
    CHECK_EQ(fault.status, 0);
    CHECK_EQ(fault.cut_body, -1);
    CHECK(!fault.cut && !fault.abort_queued);
}

static void what_is_wrong_is_named(void)
{
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"explode", "unknown fault \"explode\""},
        {"delay", "delay takes a value"},
        {"cut=1", "cut takes no value"},
        {"status=200", "status takes a number from 400"},
        {"status=-1", "status takes"},
        {"status=", "status takes"},
        {"delay=99999999999999999999", "delay"},
        {"every=0", "every takes a number from 1"},
        {"path=", "path takes 1 to"},
        {"delay=1x", "delay takes"},
        {"method=ABCDEFGHIJKLMNOPQ", "method takes 1 to 15"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        fault_t fault;
        failure_t failure = {""};
        check_equal(__FILE__, __LINE__, cases[i].text, fault_read(&fault, cases[i].text, &failure),
                    false);
        if (strstr(failure.text, cases[i].part) == NULL) {
            CHECK_STR(failure.text, cases[i].part);
        }
    }
}

/* A row of turns as text: x where it applied. */
static void take_turns(const char *text, size_t count, char *row)
{
    fault_t fault;
    failure_t failure = {""};
    uint64_t seen = 0;

    CHECK(fault_read(&fault, text, &failure));
    for (size_t i = 0; i < count; i++) {
        row[i] = fault_take_turn(&fault, &seen, "POST", "/pool/executions") ? 'x' : '-';
    }
    row[count] = '\0';
}

static void turns_are_taken_as_described(void)
{
    static const struct {
        const char *text;
        const char *row;
    } cases[] = {
        {"cut", "xxxxxxx"},
        {"cut,times=2", "xx-----"},
        {"cut,every=3", "--x--x-"},
        {"cut,every=2,times=2", "-x-x---"},
        {"cut,method=GET", "-------"},
        {"cut,method=POST,path=exec", "xxxxxxx"},
        {"cut,path=files", "-------"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char row[8];
        take_turns(cases[i].text, 7, row);
        CHECK_STR(row, cases[i].row);
    }
}

static void audience_is_that_of_the_token(void)
{
    static const char audience[] = "https://dynamicsessions.io";
    static const struct {
        const char *header;
        bool right;
    } cases[] = {
        /* {"aud":"https://dynamicsessions.io"} */
        {"Bearer h.eyJhdWQiOiJodHRwczovL2R5bmFtaWNzZXNzaW9ucy5pbyJ9.s", true},
        {"bearer h.eyJhdWQiOiJodHRwczovL2R5bmFtaWNzZXNzaW9ucy5pbyJ9.s", true},
        /* {"aud":"https://acasessions.io"} */
        {"Bearer h.eyJhdWQiOiJodHRwczovL2FjYXNlc3Npb25zLmlvIn0.s", false},
        {"Basic h.eyJhdWQiOiJodHRwczovL2R5bmFtaWNzZXNzaW9ucy5pbyJ9.s", false},
        {"Bearer eyJhdWQiOiJodHRwczovL2R5bmFtaWNzZXNzaW9ucy5pbyJ9", false},
        {"Bearer h.***.s", false},
        {"Bearer h..s", false},
        {"Bearer h.e30.s", false}, /* {} */
        {"Bearer", false},
        {NULL, false},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        check_equal(__FILE__, __LINE__, cases[i].header == NULL ? "NULL" : cases[i].header,
                    fault_is_for_audience(cases[i].header, audience), cases[i].right);
    }
}

TESTS(TEST(description_is_read_item_by_item), TEST(nothing_described_is_no_fault),
      TEST(what_is_wrong_is_named), TEST(turns_are_taken_as_described),
      TEST(audience_is_that_of_the_token))
