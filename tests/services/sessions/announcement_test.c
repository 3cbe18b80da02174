/* What the pool program prints, and what is made of it. */
#include "announcement.h"

#include "support/check.h"

static void line_tells_where_the_pool_is(void)
{
    static const char line[] = "{\"socket\":\"/run/p/socket\",\"endpoint\":\"http://localhost\","
                               "\"level\":\"no-cgroup\",\"pid\":42,\"version\":\"0.1.0\"}";
    announcement_t announcement;
    char error[256] = "";

    CHECK(announcement_read(&announcement, line, strlen(line), error, sizeof(error)));
    CHECK_STR(announcement.socket, "/run/p/socket");
    CHECK_STR(announcement.endpoint, "http://localhost");
    CHECK_STR(announcement.level, "no-cgroup");
    announcement_fini(&announcement);
}

static void members_that_it_does_not_know_are_passed_over(void)
{
    static const char line[] = "{\"socket\":\"/run/p/socket\",\"endpoint\":\"http://"
                               "localhost\",\"tcp\":\"http://127.0.0.1:1\","
                               "\"tokenFile\":\"/t\",\"file\":\"/"
                               "f\",\"later\":[{\"socket\":7}],\"level\":\"full\",\"pid\":42}";
    announcement_t announcement;
    char error[256] = "";

    CHECK(announcement_read(&announcement, line, strlen(line), error, sizeof(error)));
    CHECK_STR(announcement.socket, "/run/p/socket");
    CHECK_STR(announcement.endpoint, "http://localhost");
    CHECK_STR(announcement.level, "full");
    announcement_fini(&announcement);
}

static void other_lines_are_refused_with_the_reason(void)
{
    static const struct {
        const char *line;
        const char *error;
    } samples[] = {
        {"", "not JSON"},
        {"hello", "not JSON"},
        {"[1]", "not a JSON object"},
        {"{}", "no \"socket\""},
        {"{\"socket\":7}", "no \"socket\""},
        {"{\"socket\":\"\"}", "no \"socket\""},
        {"{\"socket\":\"/s\"}", "no \"endpoint\""},
        {"{\"socket\":\"/s\",\"endpoint\":\"e\"}", "no \"level\""},
        {"{\"socket\":\"s\",\"endpoint\":\"e\",\"level\":\"l\"}", "not an absolute path"},
        {"{\"socket\":\"/s\",\"endpoint\":\"e\",\"level\":\"l\"} x", "not JSON"},
        {"{\"socket\":\"/s\\u0000\",\"endpoint\":\"e\",\"level\":\"l\"}", "not JSON"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        announcement_t announcement;
        char error[256] = "";

        CHECK(!announcement_read(&announcement, samples[i].line, strlen(samples[i].line), error,
                                 sizeof(error)));
        CHECK_STR_CONTAINS(error, samples[i].error);
    }
}

static void check_complaint(const char *said, const char *wanted)
{
    sk_buffer_t tail = SK_BUFFER_INIT;
    sk_buffer_t complaint = SK_BUFFER_INIT;

    complaint_append(&tail, said, strlen(said));
    complaint_write(&complaint, &tail);
    CHECK_STR(sk_buffer_text(&complaint), wanted);
    sk_buffer_fini(&tail);
    sk_buffer_fini(&complaint);
}

static void last_line_is_the_complaint(void)
{
    check_complaint("", "");
    check_complaint("\n \n", "");
    check_complaint("semkernel-sessiond: no bubblewrap", "no bubblewrap");
    check_complaint("first\nsemkernel-sessiond: no bubblewrap\n\n", "no bubblewrap");
    check_complaint("something else\n", "something else");
    check_complaint("bad \xFF byte", "bad \xEF\xBF\xBD byte");
}

static void only_the_end_of_much_is_kept(void)
{
    sk_buffer_t tail = SK_BUFFER_INIT;
    sk_buffer_t complaint = SK_BUFFER_INIT;
    char noise[9001];

    memset(noise, 'x', sizeof(noise));
    noise[sizeof(noise) - 1] = '\n';
    for (int i = 0; i < 3; i++) {
        complaint_append(&tail, noise, sizeof(noise));
    }
    CHECK_EQ(tail.size, 4096);
    complaint_append(&tail, "no ", 3);
    complaint_append(&tail, "room\n", 5);
    complaint_write(&complaint, &tail);
    CHECK_STR(sk_buffer_text(&complaint), "no room");
    complaint_append(&tail, noise, sizeof(noise) - 1);
    complaint_write(&complaint, &tail);
    CHECK_EQ(complaint.size, 1000);
    sk_buffer_fini(&tail);
    sk_buffer_fini(&complaint);
}

TESTS(TEST(line_tells_where_the_pool_is), TEST(members_that_it_does_not_know_are_passed_over),
      TEST(other_lines_are_refused_with_the_reason), TEST(last_line_is_the_complaint),
      TEST(only_the_end_of_much_is_kept))
