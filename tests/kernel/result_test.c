/* What a result holds, however it was made, and that it never changes. */
#include "result.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "support/check.h"
#include "support/fail_alloc.h"

static kp_value text_value(uint32_t type, const char *text)
{
    return kp_of_text(type, text, strlen(text));
}

static void values_print_as_text_and_as_json(void)
{
    const struct {
        kp_value value;
        const char *text;
        const char *json;
    } cases[] = {
        {{.type = KP_NULL}, "", "null"},
        {kp_of_boolean(1), "true", "true"},
        {kp_of_boolean(0), "false", "false"},
        {kp_of_integer(0), "0", "0"},
        {kp_of_integer(INT64_MIN), "-9223372036854775808", "-9223372036854775808"},
        {kp_of_integer(9007199254740993), "9007199254740993", "9007199254740993"},
        {kp_of_number(0.1), "0.1", "0.1"},
        {kp_of_number(5), "5.0", "5.0"},
        {kp_of_number(-1e300), "-1e300", "-1e300"},
        {kp_of_string("a \"b\"\n\xC3\xA9"), "a \"b\"\n\xC3\xA9", "\"a \\\"b\\\"\\n\xC3\xA9\""},
        {kp_of_string(""), "", "\"\""},
        {text_value(KP_OBJECT, "{\"a\": 1}"), "{\"a\": 1}", "{\"a\": 1}"},
        {text_value(KP_ARRAY, "[1]"), "[1]", "[1]"},
        {kp_of_text(KP_BYTES, "\0\1", 2), "[2 bytes]", "\"AAE=\""},
        {kp_of_text(KP_BYTES, NULL, 0), "[0 bytes]", "\"\""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_result_t *result = kernel__result_value(&cases[i].value);

        CHECK_EQ(kernel_result_status(result), KERNEL_OK);
        CHECK_STR(kernel_result_error(result), "");
        CHECK(kernel_result_detail(result) == NULL);
        CHECK_EQ(kernel_result_type(result), cases[i].value.type);
        CHECK_STR(kernel_result_text(result), cases[i].text);
        CHECK_STR(kernel_result_json(result), cases[i].json);
        CHECK(kernel_result_text(result) == kernel_result_text(result));
        CHECK(kernel_result_json(result) == kernel_result_json(result));
        CHECK_EQ(kernel_result_attachment_count(result), 0);
        kernel_result_free(result);
    }
}

static void values_are_read_by_type(void)
{
    kp_value bytes = kp_of_text(KP_BYTES, "a\0b", 3);
    kp_value integer = kp_of_integer(-7);
    kp_value boolean = kp_of_boolean(5);
    kernel_result_t *result = kernel__result_value(&bytes);
    size_t size = 0;

    CHECK(memcmp(kernel_result_string(result, &size), "a\0b", 4) == 0);
    CHECK_EQ(size, 3);
    CHECK(kernel_result_string(result, NULL) != bytes.as.text.ptr);
    CHECK_EQ(kernel_result_integer(result), 0);
    kernel_result_free(result);

    result = kernel__result_value(&integer);
    CHECK_EQ(kernel_result_integer(result), -7);
    CHECK(kernel_result_number(result) == -7.0);
    CHECK(!kernel_result_boolean(result));
    CHECK(kernel_result_string(result, &size) == NULL);
    CHECK_EQ(size, 0);
    kernel_result_free(result);

    result = kernel__result_value(&boolean);
    CHECK(kernel_result_boolean(result));
    CHECK(kernel_result_number(result) == 0);
    kernel_result_free(result);
}

static void copy_is_deep(void)
{
    char value[] = "value";
    char text[] = "for people, and more";
    char name[] = "figure-1.png";
    char media_type[] = "image/png";
    char data[] = "\x89PNG";
    /* A later header's record is longer. */
    struct {
        kp_attachment attachment;
        uint64_t more;
    } attachments[2] = {
        {{.size = 48, .name = name, .media_type = media_type, .data = data, .len = 4}, 7},
        {{.size = 48, .data = NULL, .len = 0}, 8},
    };
    kp_result view = {
        .size = sizeof(view),
        .value = kp_of_string(value),
        .text = text,
        .text_len = 10,
        .attachments = &attachments[0].attachment,
        .attachment_count = 2,
        .attachment_stride = sizeof(attachments[0]),
    };
    kernel_result_t *result = kernel__result_copy(&view);
    const kernel_attachment_t *attachment = NULL;

    memset(value, 'x', sizeof(value));
    memset(text, 'x', sizeof(text));
    memset(name, 'x', sizeof(name));
    memset(media_type, 'x', sizeof(media_type));
    memset(data, 'x', sizeof(data));
    memset(attachments, 0, sizeof(attachments));
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_STR(kernel_result_string(result, NULL), "value");
    CHECK_STR(kernel_result_text(result), "for people");
    CHECK_STR(kernel_result_json(result), "\"value\"");
    CHECK_EQ(kernel_result_attachment_count(result), 2);
    attachment = kernel_result_attachment_at(result, 0);
    CHECK_EQ(attachment->size, sizeof(*attachment));
    CHECK_STR(attachment->name, "figure-1.png");
    CHECK_STR(attachment->media_type, "image/png");
    CHECK_EQ(attachment->data_size, 4);
    CHECK(memcmp(attachment->data, "\x89PNG", 5) == 0);
    attachment = kernel_result_attachment_at(result, 1);
    CHECK_STR(attachment->name, "");
    CHECK_STR(attachment->media_type, "application/octet-stream");
    CHECK_EQ(attachment->data_size, 0);
    CHECK(kernel_result_attachment_at(result, 2) == NULL);
    kernel_result_free(result);
}

static void view_shows_what_was_copied(void)
{
    kp_attachment attachments[2] = {{.name = "a", .data = "x", .len = 1},
                                    {.media_type = "text/plain", .data = "yz", .len = 2}};
    kp_result given = {
        .value = kp_of_integer(5),
        .text = "five",
        .text_len = 4,
        .attachments = attachments,
        .attachment_count = 2,
        .attachment_stride = sizeof(attachments[0]),
    };
    kp_result failure = {.status = KP_E_REMOTE, .error = "no", .detail = "{\"http_status\":500}"};
    kernel_result_t *result = kernel__result_copy(&given);
    const kp_attachment *second = NULL;
    kp_result view;

    kernel__result_view(result, &view);
    CHECK_EQ(view.size, sizeof(view));
    CHECK_EQ(view.status, KP_OK);
    CHECK_EQ(view.value.as.integer, 5);
    CHECK_STR(view.text, "five");
    CHECK_EQ(view.text_len, 4);
    CHECK(view.error == NULL && view.detail == NULL);
    CHECK_EQ(view.attachment_count, 2);
    CHECK(view.attachments[0].media_type == NULL);
    second = (const kp_attachment *)((const char *)view.attachments + view.attachment_stride);
    CHECK(second->name == NULL);
    CHECK_STR(second->media_type, "text/plain");
    CHECK_EQ(second->len, 2);
    CHECK_STR(second->data, "yz");
    kernel_result_free(result);

    result = kernel__result_copy(&failure);
    kernel__result_view(result, &view);
    CHECK_EQ(view.status, KP_E_REMOTE);
    CHECK_EQ(view.value.type, KP_NULL);
    CHECK_STR(view.error, "no");
    CHECK_STR(view.detail, "{\"http_status\":500}");
    kernel_result_free(result);
    kernel__result_view(NULL, &view);
    CHECK_EQ(view.status, KP_E_INVALID);
}

static void failures_have_a_status_a_text_and_json(void)
{
    static const struct {
        int32_t status;
        const char *error;
        const char *detail;
        kernel_status_t wanted_status;
        const char *wanted_error;
        const char *wanted_detail;
        const char *json;
    } cases[] = {
        {KP_E_REMOTE, "the \"far side\"", "{\"a\":1}", KERNEL_E_REMOTE, "the \"far side\"",
         "{\"a\":1}",
         "{\"error\":{\"status\":\"KERNEL_E_REMOTE\",\"text\":\"the \\\"far side\\\"\"}}"},
        {KP_E_TIMEOUT, NULL, NULL, KERNEL_E_TIMEOUT, "the deadline passed", NULL,
         "{\"error\":{\"status\":\"KERNEL_E_TIMEOUT\",\"text\":\"the deadline passed\"}}"},
        {KP_E_BUSY, "", "not json", KERNEL_E_BUSY, "too much is going on, try again later", NULL,
         NULL},
        {KP_E_AUTH, "a\xFFz", "", KERNEL_E_AUTH, "a\xEF\xBF\xBDz", NULL, NULL},
        {KP_PENDING, "odd", NULL, KERNEL_E_INTERNAL, "odd", NULL, NULL},
        {-55, "new", NULL, (kernel_status_t)-55, "new", NULL,
         "{\"error\":{\"status\":\"KERNEL_E_?\",\"text\":\"new\"}}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kp_result view = {.status = cases[i].status,
                          .value = kp_of_integer(5),
                          .error = cases[i].error,
                          .detail = cases[i].detail};
        kernel_result_t *result = kernel__result_copy(&view);

        CHECK_EQ(kernel_result_status(result), cases[i].wanted_status);
        CHECK_STR(kernel_result_error(result), cases[i].wanted_error);
        CHECK_STR(kernel_result_text(result), cases[i].wanted_error);
        CHECK_EQ(kernel_result_type(result), KERNEL_TYPE_NULL);
        if (cases[i].wanted_detail != NULL) {
            CHECK_STR(kernel_result_detail(result), cases[i].wanted_detail);
        } else {
            CHECK(kernel_result_detail(result) == NULL);
        }
        if (cases[i].json != NULL) {
            CHECK_STR(kernel_result_json(result), cases[i].json);
        }
        kernel_result_free(result);
    }
}

static void function_that_breaks_its_contract_fails(void)
{
    static kp_attachment attachment = {.name = "a", .data = "x", .len = 1};
    const struct {
        kp_result view;
        const char *text;
    } cases[] = {
        {{.value = {.type = 8}}, "a value of the unknown type 8"},
        {{.value = kp_of_text(KP_STRING, NULL, 5)}, "5 bytes at NULL"},
        {{.value = kp_of_text(KP_STRING, "ab\xFF", 3)},
         "a string that is not valid UTF-8 at byte 2: return it as bytes"},
        {{.value = kp_of_text(KP_STRING, "a\0b", 3)}, "a string with U+0000 at byte 1"},
        {{.value = text_value(KP_OBJECT, "{\"a\":}")}, "an object that is not JSON: expected"},
        {{.value = text_value(KP_OBJECT, "[]")}, "array as JSON where it promised an object"},
        {{.value = text_value(KP_ARRAY, "5")}, "number as JSON where it promised an array"},
        {{.value = kp_of_text(KP_ARRAY, "", 0)}, "an array that is not JSON"},
        {{.value = {.type = 9}, .text = "x", .text_len = 1}, "a value of the unknown type 9"},
        {{.attachments = &attachment, .attachment_count = 1, .attachment_stride = 32},
         "attached 1 records of 32 bytes, expected at least 40 bytes each"},
        {{.attachment_count = 2, .attachment_stride = 40}, "2 records of 40 bytes at NULL"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_result_t *result = kernel__result_copy(&cases[i].view);

        CHECK_EQ(kernel_result_status(result), KERNEL_E_INTERNAL);
        CHECK_STR_CONTAINS(kernel_result_error(result), cases[i].text);
        kernel_result_free(result);
    }
}

static void text_for_people_is_repaired(void)
{
    kp_result view = {.value = kp_of_integer(1), .text = "caf\xE9", .text_len = 4};
    kernel_result_t *result = kernel__result_copy(&view);

    CHECK_STR(kernel_result_text(result), "caf\xEF\xBF\xBD");
    CHECK_EQ(kernel_result_integer(result), 1);
    kernel_result_free(result);
}

static void deep_value_of_a_function_is_taken(void)
{
    char json[801];
    kp_value value;
    kernel_result_t *result = NULL;

    memset(json, '[', 400);
    memset(json + 400, ']', 400);
    json[800] = '\0';
    value = text_value(KP_ARRAY, json);
    result = kernel__result_value(&value);
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_STR(kernel_result_json(result), json);
    kernel_result_free(result);
}

static void null_is_an_invalid_result(void)
{
    size_t size = 3;

    CHECK_EQ(kernel_result_status(NULL), KERNEL_E_INVALID);
    CHECK_STR(kernel_result_error(NULL), "there is no result");
    CHECK_STR(kernel_result_text(NULL), "there is no result");
    CHECK_STR_CONTAINS(kernel_result_json(NULL), "KERNEL_E_INVALID");
    CHECK(kernel_result_detail(NULL) == NULL);
    CHECK_EQ(kernel_result_type(NULL), KERNEL_TYPE_NULL);
    CHECK_EQ(kernel_result_integer(NULL), 0);
    CHECK(kernel_result_number(NULL) == 0);
    CHECK(!kernel_result_boolean(NULL));
    CHECK(kernel_result_string(NULL, &size) == NULL);
    CHECK_EQ(size, 0);
    CHECK_EQ(kernel_result_attachment_count(NULL), 0);
    CHECK(kernel_result_attachment_at(NULL, 0) == NULL);
    CHECK(kernel_result_keep(NULL) == NULL);
    kernel_result_free(NULL);
}

static void every_owner_lets_go_once(void)
{
    kernel_result_t *result = kernel_result_new_string("kept");
    kernel_result_t *kept = kernel_result_keep(result);

    CHECK(kept == result);
    kernel_result_free(result);
    CHECK_STR(kernel_result_text(kept), "kept");
    kernel_result_free(kept);
}

static void hosts_make_results_too(void)
{
    static const struct {
        const char *json;
        kernel_status_t status;
        kernel_type_t type;
        const char *text;
    } cases[] = {
        {"null", KERNEL_OK, KERNEL_TYPE_NULL, ""},
        {"true", KERNEL_OK, KERNEL_TYPE_BOOLEAN, "true"},
        {"5", KERNEL_OK, KERNEL_TYPE_INTEGER, "5"},
        {"5.0", KERNEL_OK, KERNEL_TYPE_NUMBER, "5.0"},
        {"\"a\\u00e9\"", KERNEL_OK, KERNEL_TYPE_STRING, "a\xC3\xA9"},
        {"\"\"", KERNEL_OK, KERNEL_TYPE_STRING, ""},
        {"{ \"a\" : [ ] }", KERNEL_OK, KERNEL_TYPE_OBJECT, "{\"a\":[]}"},
        {" [1, 2] ", KERNEL_OK, KERNEL_TYPE_ARRAY, "[1,2]"},
        {"{\"a\":}", KERNEL_E_INVALID, KERNEL_TYPE_NULL,
         "cannot make a result of the JSON text: expected a value at byte 5"},
        {"", KERNEL_E_INVALID, KERNEL_TYPE_NULL, "cannot make a result of the JSON text: "},
        {NULL, KERNEL_E_INVALID, KERNEL_TYPE_NULL, "there is none"},
        {"12345678901234567890123", KERNEL_E_INVALID, KERNEL_TYPE_NULL, "more digits"},
    };
    kernel_result_t *result = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        result = kernel_result_new_json(cases[i].json);
        CHECK_EQ(kernel_result_status(result), cases[i].status);
        CHECK_EQ(kernel_result_type(result), cases[i].type);
        CHECK_STR_CONTAINS(kernel_result_text(result), cases[i].text);
        kernel_result_free(result);
    }
    result = kernel_result_new_string(NULL);
    CHECK_EQ(kernel_result_type(result), KERNEL_TYPE_NULL);
    kernel_result_free(result);
    result = kernel_result_new_string("a\xFF");
    CHECK_EQ(kernel_result_status(result), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(kernel_result_error(result), "not valid UTF-8 at byte 1");
    kernel_result_free(result);
    result = kernel_result_new_error(KERNEL_E_DENIED, "not today");
    CHECK_EQ(kernel_result_status(result), KERNEL_E_DENIED);
    CHECK_STR(kernel_result_error(result), "not today");
    kernel_result_free(result);
    result = kernel_result_new_error(KERNEL_OK, "not a failure");
    CHECK_EQ(kernel_result_status(result), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(kernel_result_error(result), "must be negative");
    kernel_result_free(result);
}

static void errors_become_results(void)
{
    kernel_error_t error = {sizeof(error), KERNEL_E_LIMIT, "too big"};
    kernel_result_t *result = kernel__result_from_error(&error);

    CHECK_EQ(kernel_result_status(result), KERNEL_E_LIMIT);
    CHECK_STR(kernel_result_error(result), "too big");
    kernel_result_free(result);
    result = kernel__result_error(KERNEL_E_DEPTH, "deeper than %d", 64);
    CHECK_EQ(kernel_result_status(result), KERNEL_E_DEPTH);
    CHECK_STR(kernel_result_error(result), "deeper than 64");
    kernel_result_free(result);
}

/* Many threads ask at once for what is printed late: each waits in its first allocation until all
 * of them have seen that nothing is there. */
#define READERS 8

static pthread_barrier_t all_are_printing;
static _Thread_local bool waits_for_all;

static void *realloc_together(void *memory, size_t size)
{
    if (waits_for_all) {
        waits_for_all = false;
        pthread_barrier_wait(&all_are_printing);
    }
    return realloc(memory, size);
}

static void *malloc_together(size_t size)
{
    return realloc_together(NULL, size);
}

typedef struct reader {
    pthread_t thread;
    kernel_result_t *result; /* owned by this reader */
    const char *text;
    const char *json;
} reader_t;

static void *read_together(void *data)
{
    reader_t *reader = data;

    waits_for_all = true;
    reader->text = kernel_result_text(reader->result);
    waits_for_all = true;
    reader->json = kernel_result_json(reader->result);
    return NULL;
}

static void threads_share_what_is_printed_late(void)
{
    static const sk_allocator_t allocator = {malloc_together, realloc_together, free};
    kp_value value = kp_of_integer(1234567890123);
    kernel_result_t *result = NULL;
    reader_t readers[READERS];

    sk_set_allocator(&allocator);
    pthread_barrier_init(&all_are_printing, NULL, READERS);
    result = kernel__result_value(&value);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader_t){.result = kernel_result_keep(result)};
        CHECK_EQ(pthread_create(&readers[i].thread, NULL, read_together, &readers[i]), 0);
    }
    kernel_result_free(result);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
    }
    CHECK_STR(readers[0].text, "1234567890123");
    CHECK_STR(readers[0].json, "1234567890123");
    for (int i = 0; i < READERS; i++) {
        CHECK(readers[i].text == readers[0].text);
        CHECK(readers[i].json == readers[0].json);
        kernel_result_free(readers[i].result);
    }
    pthread_barrier_destroy(&all_are_printing);
}

static void make_and_print(void)
{
    kp_attachment attachment = {.name = "a", .data = "x", .len = 1};
    kp_result views[] = {
        {.value = kp_of_integer(5)},
        {.value = kp_of_string("text")},
        {.value = kp_of_text(KP_BYTES, "bytes", 5)},
        {.value = kp_of_number(0.1),
         .text = "a\xFF",
         .text_len = 2,
         .attachments = &attachment,
         .attachment_count = 1,
         .attachment_stride = sizeof(attachment)},
        {.status = KP_E_REMOTE, .error = "a\xFF", .detail = "{}"},
    };
    static const char *const texts[] = {"{\"a\": 1}", "\"a\\nb\"", "[[1]]"};

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]) + sizeof(texts) / sizeof(texts[0]);
         i++) {
        size_t views_count = sizeof(views) / sizeof(views[0]);
        kernel_result_t *result = i < views_count ? kernel__result_copy(&views[i])
                                                  : kernel_result_new_json(texts[i - views_count]);
        kernel_result_t *kept = NULL;

        CHECK(result != NULL);
        CHECK(kernel_result_status(result) != KERNEL_E_NO_MEMORY || fail_alloc_happened());
        kept = kernel_result_keep(result);
        kernel_result_free(result);
        CHECK(kernel_result_text(kept)[0] != '\0');
        CHECK(kernel_result_json(kept) != NULL || fail_alloc_happened());
        if (kernel_result_status(kept) == KERNEL_E_NO_MEMORY) {
            CHECK_STR(kernel_result_error(kept), "memory ran out");
            CHECK_STR(kernel_result_json(kept), "{\"error\":{\"status\":\"KERNEL_E_NO_MEMORY\","
                                                "\"text\":\"memory ran out\"}}");
        }
        kernel_result_free(kept);
    }
}

static void any_allocation_may_fail(void)
{
    static const sk_allocator_t allocator = {fail_alloc_malloc, fail_alloc_realloc,
                                             fail_alloc_free};

    sk_set_allocator(&allocator);
    fail_alloc_each(make_and_print);
}

TESTS(TEST(values_print_as_text_and_as_json), TEST(values_are_read_by_type), TEST(copy_is_deep),
      TEST(view_shows_what_was_copied), TEST(failures_have_a_status_a_text_and_json),
      TEST(function_that_breaks_its_contract_fails), TEST(text_for_people_is_repaired),
      TEST(deep_value_of_a_function_is_taken), TEST(null_is_an_invalid_result),
      TEST(every_owner_lets_go_once), TEST(hosts_make_results_too), TEST(errors_become_results),
      TEST(threads_share_what_is_printed_late), TEST(any_allocation_may_fail))
