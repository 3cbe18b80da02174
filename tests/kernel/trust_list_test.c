/* Which files a list of hashes lets in. */
#include "trust_list.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "support/check.h"
#include "support/files.h"

/* Of the three bytes "abc". */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static kernel_status_t judge(const char *json, const char *name, const char *content,
                             const char *part)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__trust_list_t *list = kernel__trust_list_new(json, &error);
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, name);
    char why[1024] = "";
    kernel_status_t status = KERNEL_OK;
    int fd = -1;

    CHECK_STR(error.text, "");
    CHECK(list != NULL);
    file_write(path.text, content, strlen(content));
    fd = open(path.text, O_RDONLY | O_CLOEXEC);
    status = kernel__trust_list_judge(list, path.text, fd, why, sizeof(why));
    CHECK_STR_CONTAINS(why, part);
    CHECK((status == KERNEL_OK) == (why[0] == '\0'));
    close(fd);
    temp_dir_free(&directory);
    kernel__trust_list_free(list);
    return status;
}

static void listed_file_with_its_hash_is_let_in(void)
{
    CHECK_EQ(judge("{\"sha256\":{\"math\":\"" ABC "\"}}", "math.so", "abc", ""), KERNEL_OK);
    CHECK_EQ(
        judge("{\"sha256\":{\"other\":\"" ABC "\",\"math\":\"" ABC "\"}}", "math.so", "abc", ""),
        KERNEL_OK);
}

static void hash_may_be_written_in_capitals(void)
{
    CHECK_EQ(judge("{\"sha256\":{\"math\":"
                   "\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\"}}",
                   "math.so", "abc", ""),
             KERNEL_OK);
}

static void listed_file_with_another_content_is_refused(void)
{
    CHECK_EQ(judge("{\"sha256\":{\"math\":\"" ABC "\"}}", "math.so", "abd", "expected " ABC),
             KERNEL_E_DENIED);
}

static void file_that_is_not_listed_is_let_in_unless_hashes_are_required(void)
{
    CHECK_EQ(judge("{}", "math.so", "abc", ""), KERNEL_OK);
    CHECK_EQ(judge("{\"sha256\":{\"text\":\"" ABC "\"}}", "math.so", "abc", ""), KERNEL_OK);
    CHECK_EQ(judge("{\"require_hash\":false}", "math.so", "abc", ""), KERNEL_OK);
    CHECK_EQ(judge("{\"require_hash\":true}", "math.so", "abc", "add \"math\":\"" ABC "\""),
             KERNEL_E_DENIED);
    CHECK_EQ(
        judge("{\"require_hash\":true,\"sha256\":{\"math\":\"" ABC "\"}}", "math.so", "abc", ""),
        KERNEL_OK);
}

static void name_goes_without_its_suffix(void)
{
    CHECK_EQ(judge("{\"sha256\":{\"math.so\":\"" ABC "\"}}", "math.so", "abd", ""), KERNEL_OK);
    CHECK_EQ(judge("{\"sha256\":{\"mat\":\"" ABC "\"}}", "math.so", "abd", ""), KERNEL_OK);
    CHECK_EQ(judge("{\"sha256\":{\"plugin\":\"" ABC "\"}}", "plugin", "abd", "expected"),
             KERNEL_E_DENIED);
}

static void no_list_lets_everything_in(void)
{
    char why[64] = "";

    CHECK_EQ(kernel__trust_list_judge(NULL, "/x/math.so", -1, why, sizeof(why)), KERNEL_OK);
}

static void file_that_cannot_be_read_is_refused(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__trust_list_t *list = kernel__trust_list_new("{\"require_hash\":true}", &error);
    char why[256] = "";

    CHECK_EQ(kernel__trust_list_judge(list, "/x/math.so", -1, why, sizeof(why)), KERNEL_E_DENIED);
    CHECK_STR_CONTAINS(why, "/x/math.so cannot be read");
    kernel__trust_list_free(list);
}

static void list_that_is_not_understood_is_an_error(void)
{
    static const struct {
        const char *json;
        const char *part;
    } cases[] = {
        {"", "option trust is not JSON"},
        {"{", "option trust is not JSON"},
        {"[]", "option trust is array, expected a JSON object"},
        {"{\"require_hash\":1}", "\"require_hash\" is not understood"},
        {"{\"require\":true}", "\"require\" is not understood"},
        {"{\"sha256\":[]}", "\"sha256\" is not understood"},
        {"{\"sha256\":{\"math\":1}}", "'math' must be a string of 64 hexadecimal digits"},
        {"{\"sha256\":{\"math\":\"abc\"}}", "'math' must be a string of 64 hexadecimal digits"},
        {"{\"sha256\":{\"math\":\"" ABC "0\"}}", "must be a string of 64"},
        {"{\"sha256\":{\"math\":"
         "\"xa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}",
         "character at place 1"},
        {"{\"sha256\":{\"math\":\"" ABC "\",\"math\":\"" ABC "\"}}", "not JSON"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kernel_error_t error = KERNEL_ERROR_INIT;

        CHECK(kernel__trust_list_new(cases[i].json, &error) == NULL);
        CHECK_EQ(error.status, KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(error.text, cases[i].part);
    }
}

TESTS(TEST(listed_file_with_its_hash_is_let_in), TEST(hash_may_be_written_in_capitals),
      TEST(listed_file_with_another_content_is_refused),
      TEST(file_that_is_not_listed_is_let_in_unless_hashes_are_required),
      TEST(name_goes_without_its_suffix), TEST(no_list_lets_everything_in),
      TEST(file_that_cannot_be_read_is_refused), TEST(list_that_is_not_understood_is_an_error))
