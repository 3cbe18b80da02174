/* What comes of code in the local pool: the real program, the real sandbox. */
#include "support/interpreter.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/files.h"

#define TEXT(status, result, out, err)                                                             \
    "Status:\n" status "\nResult:\n" result "\nStdout:\n" out "\nStderr:\n" err

static interpreter_t first; /* large, hence not on the stack */
static interpreter_t second;

static void start(const char *config)
{
    interpreter_start(&first, config);
}

static void check_json(const char *code, const char *part)
{
    kernel_result_t *result = interpreter_run(&first, code);

    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_EQ(kernel_result_type(result), KERNEL_TYPE_OBJECT);
    CHECK_STR_CONTAINS(kernel_result_json(result), part);
    kernel_result_free(result);
}

static void printed_text_comes_back_as_four_parts(void)
{
    start(NULL);
    interpreter_check_text(&first, "print(1 + 1)", TEXT("Succeeded", "", "2\n", ""));
    check_json("print(1 + 1)", "{\"status\":\"Succeeded\",\"succeeded\":true,\"result\":\"\","
                               "\"stdout\":\"2\\n\",\"stderr\":\"\"");
    interpreter_free(&first);
}

static void last_expression_is_the_result(void)
{
    start(NULL);
    interpreter_check_text(&first, "1 + 1", TEXT("Succeeded", "2", "", ""));
    interpreter_check_text(&first, "x = 1", TEXT("Succeeded", "", "", ""));
    interpreter_check_text(&first, "'abc'", TEXT("Succeeded", "abc", "", ""));
    interpreter_check_text(&first, "2 ** 100",
                           TEXT("Succeeded", "1267650600228229401496703205376", "", ""));
    interpreter_check_text(&first, "[1, {'a': None}]",
                           TEXT("Succeeded", "[1,{\"a\":null}]", "", ""));
    check_json("9007199254740993", "\"result\":9007199254740993,");
    interpreter_free(&first);
}

static void figures_come_as_bytes_and_stand_in_the_text_by_their_size(void)
{
    kernel_result_t *result = NULL;

    start(NULL);
    result = interpreter_run(&first, "import matplotlib.pyplot as plt\n"
                                     "plt.plot([1, 2]); plt.show()\n"
                                     "plt.plot([2, 1]); plt.show()\n'both'");
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_STR_CONTAINS(kernel_result_text(result), "Result:\nboth\n[image/png, ");
    CHECK_EQ(kernel_result_attachment_count(result), 2);
    for (size_t i = 0; i < 2; i++) {
        const kernel_attachment_t *figure = kernel_result_attachment_at(result, i);
        char line[64];
        CHECK_STR(figure->name, i == 0 ? "figure-1.png" : "figure-2.png");
        CHECK_STR(figure->media_type, "image/png");
        CHECK(figure->data_size > 1000 && memcmp(figure->data, "\x89PNG\r\n\x1a\n", 8) == 0);
        (void)snprintf(line, sizeof(line), "\n[image/png, %zu bytes]\n", figure->data_size);
        CHECK_STR_CONTAINS(kernel_result_text(result), line);
    }
    CHECK(strstr(kernel_result_json(result), "iVBOR") == NULL); /* how base64 of a PNG begins */
    kernel_result_free(result);
    interpreter_check(&first, "plt.plot([1]); plt.show()", KERNEL_OK, "Result:\n[image/png, ");
    interpreter_free(&first);
}

static void table_comes_as_text_and_its_html_beside_it(void)
{
    kernel_result_t *result = NULL;
    const kernel_attachment_t *table = NULL;

    start(NULL);
    result = interpreter_run(&first, "import pandas\npandas.DataFrame({'a': [5]})");
    CHECK_STR(kernel_result_text(result), TEXT("Succeeded", "   a\n0  5", "", ""));
    CHECK_EQ(kernel_result_attachment_count(result), 1);
    table = kernel_result_attachment_at(result, 0);
    CHECK_STR(table->name, "display-1.html");
    CHECK_STR(table->media_type, "text/html");
    CHECK_STR_CONTAINS(kernel_result_json(result), "\"attachment\":\"display-1.html\"");
    kernel_result_free(result);
    interpreter_free(&first);
}

static void wrapping_around_the_code_is_taken_off(void)
{
    start(NULL);
    interpreter_check_text(&first, "```python\nprint('hi')\n```",
                           TEXT("Succeeded", "", "hi\n", ""));
    interpreter_check_text(&first, "print('\\u00e4 \xC3\xA4')",
                           TEXT("Succeeded", "", "\xC3\xA4 \xC3\xA4\n", ""));
    interpreter_free(&first);
}

static void wrapping_stays_if_the_configuration_says_so(void)
{
    start("{\"sanitize_input\":false}");
    interpreter_check(&first, "```python\nprint('hi')\n```", KERNEL_OK, "SyntaxError");
    interpreter_free(&first);
}

static void failing_code_is_a_result(void)
{
    start(NULL);
    interpreter_check(&first, "print('before')\n1 / 0", KERNEL_OK,
                      "Status:\nFailed\nResult:\n\nStdout:\nbefore\n\nStderr:\nTraceback");
    interpreter_check(&first, "1 / 0", KERNEL_OK, "ZeroDivisionError: division by zero");
    interpreter_check(&first, "if x", KERNEL_OK, "SyntaxError");
    interpreter_check(&first, "import sys\nsys.exit(3)", KERNEL_OK, "SystemExit");
    check_json("1 / 0", "\"failure\":\"exception\"");
    interpreter_free(&first);
}

static void interpreter_that_ends_itself_loses_its_variables_alone(void)
{
    start(NULL);
    interpreter_check(&first, "x = 5\nopen('kept', 'w').write('file')", KERNEL_OK, NULL);
    interpreter_check(&first, "import os\nos._exit(1)", KERNEL_OK, "Status:\nFailed");
    interpreter_check(&first, "print(open('kept').read())\nx", KERNEL_OK, "NameError");
    interpreter_check(&first, "print(open('kept').read())", KERNEL_OK, "file");
    interpreter_free(&first);
}

static void endless_loop_ends_in_time_and_keeps_the_variables(void)
{
    kernel_result_t *result = NULL;

    start("{\"timeout_seconds\":1}");
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    result = interpreter_run(&first, "print('before', flush=True)\nwhile True: pass");
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_STR_CONTAINS(kernel_result_text(result), "Stdout:\nbefore\n");
    CHECK_STR_CONTAINS(kernel_result_text(result),
                       "Request timed out waiting for code execution to complete");
    CHECK_STR_CONTAINS(kernel_result_json(result), "\"failure\":\"timeout\"");
    CHECK_STR_CONTAINS(kernel_result_json(result), "\"session_state\":\"kept\"");
    kernel_result_free(result);
    interpreter_check_text(&first, "x", TEXT("Succeeded", "5", "", ""));
    interpreter_free(&first);
}

static void hundred_megabytes_of_output_are_cut(void)
{
    kernel_result_t *result = NULL;
    size_t size = 0;

    start(NULL);
    result = interpreter_run(&first, "for _ in range(100): print('x' * 1000000)");
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK(kernel_result_string(result, &size) != NULL);
    CHECK(size < 3 * 1024 * 1024);
    kernel_result_free(result);
    interpreter_check_text(&first, "1", TEXT("Succeeded", "1", "", ""));
    interpreter_free(&first);
}

static void empty_code_is_refused(void)
{
    static const char *const samples[] = {"", " \n\t", "```python\n```", "python", "` `"};

    interpreter_init(&first, NULL, NULL);
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        interpreter_check(&first, samples[i], KERNEL_E_INVALID, "cannot run the code: it is empty");
    }
    CHECK_EQ(interpreter_pool_pid(&first), 0);
    interpreter_free(&first);
}

static void variables_stay_between_calls(void)
{
    start(NULL);
    interpreter_check(&first, "import math\ndef f(x): return math.floor(x)", KERNEL_OK, NULL);
    interpreter_check_text(&first, "f(2.5)", TEXT("Succeeded", "2", "", ""));
    interpreter_free(&first);
}

static void instances_of_one_kernel_share_the_pool_but_no_session(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_args_t *args = kernel_args_new();
    kernel_plugin_t *other = NULL;
    kernel_result_t *result = NULL;

    start(NULL);
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    other = kernel_add_plugin(first.kernel, "sessions_python", "other", NULL, &error);
    kernel_args_set_string(args, "code", "x");
    result = kernel_invoke(kernel_plugin_find(other, "execute_code"), args);
    CHECK_EQ(kernel_result_status(result), KERNEL_OK);
    CHECK_STR_CONTAINS(kernel_result_text(result), "NameError");
    kernel_result_free(result);
    kernel_args_free(args);
    CHECK(strstr(first.log, "is ready") != NULL);
    CHECK(strstr(strstr(first.log, "is ready") + 1, "is ready") == NULL);
    interpreter_free(&first);
}

static void two_kernels_have_two_pools(void)
{
    start("{\"session_id\":\"same-name\"}");
    interpreter_init(&second, NULL, "{\"session_id\":\"same-name\"}");
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    interpreter_check(&second, "x", KERNEL_OK, "NameError");
    interpreter_check_text(&first, "x", TEXT("Succeeded", "5", "", ""));
    CHECK(interpreter_pool_pid(&first) != interpreter_pool_pid(&second));
    interpreter_free(&first);
    interpreter_check(&second, "1", KERNEL_OK, NULL);
    interpreter_free(&second);
}

static void identifier_of_odd_characters_is_a_session_like_any_other(void)
{
    start("{\"session_id\":\"a&b=c#d%e+f?g/h\"}");
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    interpreter_check_text(&first, "x", TEXT("Succeeded", "5", "", ""));
    interpreter_free(&first);
}

static double seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pool_that_dies_ends_the_call_and_the_next_starts_another(void)
{
    running_t running;
    pid_t pid = 0;
    double killed_at = 0;

    start(NULL);
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    pid = interpreter_pool_pid(&first);
    running_start(&running, &first, "while True: pass");
    wait_until_busy(pid);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    killed_at = seconds_now();
    running_check(&running, KERNEL_E_CRASHED, "ended while the code ran");
    CHECK(seconds_now() - killed_at < 1.0); /* a promise of its own */
    interpreter_check(&first, "x", KERNEL_OK, "NameError");
    CHECK(interpreter_pool_pid(&first) != pid);
    interpreter_free(&first);
}

static void pool_that_is_killed_leaves_no_files(void)
{
    file_path_t directory = temp_dir_new();

    CHECK_EQ(setenv("TMPDIR", directory.text, 1), 0);
    CHECK_EQ(unsetenv("XDG_RUNTIME_DIR"), 0);
    start(NULL);
    CHECK(rmdir(directory.text) != 0); /* it is in use */
    CHECK_EQ(kill(interpreter_pool_pid(&first), SIGKILL), 0);
    interpreter_wait_for_log(&first, "ended by itself");
    interpreter_free(&first);
    CHECK_EQ(rmdir(directory.text), 0);
}

static void cancelled_code_is_interrupted_and_keeps_the_variables(void)
{
    running_t running;

    start(NULL);
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    running_start(&running, &first, "while True: pass");
    wait_until_busy(interpreter_pool_pid(&first));
    kernel_call_cancel(running.call);
    running_check(&running, KERNEL_E_CANCELLED, NULL);
    interpreter_check_text(&first, "x", TEXT("Succeeded", "5", "", ""));
    interpreter_free(&first);
}

static void deadline_of_the_call_beats_the_execution(void)
{
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_result_t *result = NULL;

    start(NULL);
    interpreter_check(&first, "x = 5", KERNEL_OK, NULL);
    options.timeout_ms = 100;
    result = interpreter_run_with(&first, "while True: pass", &options);
    CHECK_EQ(kernel_result_status(result), KERNEL_E_TIMEOUT);
    kernel_result_free(result);
    interpreter_check_text(&first, "x", TEXT("Succeeded", "5", "", ""));
    interpreter_free(&first);
}

static void calls_at_the_same_time_take_turns_in_the_session(void)
{
    enum { CALLS = 16 };
    running_t running[CALLS];

    start(NULL);
    interpreter_check(&first, "count = 0", KERNEL_OK, NULL);
    for (int i = 0; i < CALLS; i++) {
        running_start(&running[i], &first, "for _ in range(1000): count += 1");
    }
    for (int i = 0; i < CALLS; i++) {
        running_check(&running[i], KERNEL_OK, "Succeeded");
    }
    interpreter_check_text(&first, "count", TEXT("Succeeded", "16000", "", ""));
    interpreter_free(&first);
}

static void pool_ends_with_the_kernel(void)
{
    pid_t pids[256];
    pid_t pid = 0;
    size_t count = 0;

    start(NULL);
    interpreter_check(&first, "1", KERNEL_OK, NULL);
    pid = interpreter_pool_pid(&first);
    count = processes_below(pid, pids, sizeof(pids) / sizeof(pids[0]));
    CHECK(count > 0);
    interpreter_free(&first);
    wait_until_gone(pid);
    for (size_t i = 0; i < count; i++) {
        wait_until_gone(pids[i]);
    }
}

static void freeing_the_kernel_ends_running_code(void)
{
    running_t running;
    pid_t pid = 0;

    start(NULL);
    interpreter_check(&first, "1", KERNEL_OK, NULL);
    pid = interpreter_pool_pid(&first);
    running_start(&running, &first, "while True: pass");
    wait_until_busy(pid);
    kernel_call_release(running.call);
    interpreter_free(&first);
    CHECK(running.result != NULL);
    kernel_result_free(running.result);
    wait_until_gone(pid);
}

/* A host that is killed: it reports its pool's number and waits to be. */
static void be_a_host(int report)
{
    pid_t pid = 0;
    running_t running;

    interpreter_init(&first, NULL, NULL);
    interpreter_check(&first, "1", KERNEL_OK, NULL);
    running_start(&running, &first, "while True: pass");
    pid = interpreter_pool_pid(&first);
    if (write(report, &pid, sizeof(pid)) == (ssize_t)sizeof(pid)) {
        (void)pause();
    }
    _exit(1);
}

static void pool_ends_with_the_host_however_that_dies(void)
{
    pid_t pids[256];
    pid_t pid = 0;
    pid_t host = 0;
    size_t count = 0;
    int pipe_ends[2];

    require_sandbox();
    CHECK_EQ(pipe(pipe_ends), 0);
    host = fork();
    CHECK(host >= 0);
    if (host == 0) {
        (void)close(pipe_ends[0]);
        be_a_host(pipe_ends[1]);
    }
    (void)close(pipe_ends[1]);
    CHECK_EQ(read(pipe_ends[0], &pid, sizeof(pid)), sizeof(pid));
    wait_until_busy(pid);
    count = processes_below(pid, pids, sizeof(pids) / sizeof(pids[0]));
    CHECK(count > 0);
    CHECK_EQ(kill(host, SIGKILL), 0);
    CHECK_EQ(waitpid(host, NULL, 0), host);
    wait_until_gone(pid);
    for (size_t i = 0; i < count; i++) {
        wait_until_gone(pids[i]);
    }
    (void)close(pipe_ends[0]);
}

static void missing_bubblewrap_is_named_with_what_to_install(void)
{
    CHECK_EQ(setenv("SEMKERNEL_SESSIOND_BWRAP", "/nonexistent/bwrap", 1), 0);
    interpreter_init(&first, NULL, NULL);
    interpreter_check(&first, "1", KERNEL_E_UNSUPPORTED, "bubblewrap is missing");
    interpreter_check(&first, "1", KERNEL_E_UNSUPPORTED, "apt install bubblewrap");
    interpreter_free(&first);
}

static void socket_path_that_is_too_long_is_refused_with_its_length(void)
{
    char path[200];

    require_sandbox();
    memset(path, 'x', sizeof(path));
    memcpy(path, "/tmp/", 5);
    path[sizeof(path) - 1] = '\0';
    CHECK_EQ(setenv("SEMKERNEL_SESSIOND_SOCKET", path, 1), 0);
    interpreter_init(&first, NULL, NULL);
    interpreter_check(&first, "1", KERNEL_E_UNAVAILABLE, "the path is 199 bytes long");
    interpreter_free(&first);
}

static void temporary_directory_that_is_too_long_is_refused(void)
{
    char path[200];

    require_sandbox();
    memset(path, 'x', sizeof(path));
    memcpy(path, "/tmp/", 5);
    path[sizeof(path) - 1] = '\0';
    CHECK_EQ(setenv("TMPDIR", path, 1), 0);
    CHECK_EQ(unsetenv("XDG_RUNTIME_DIR"), 0);
    interpreter_init(&first, NULL, NULL);
    interpreter_check(&first, "1", KERNEL_E_UNAVAILABLE, "TMPDIR");
    interpreter_free(&first);
}

static void megabyte_of_code_runs_and_more_names_the_limit(void)
{
    enum { MEGABYTE = 1000000, LIMIT = 1024 * 1024 };
    char *code = malloc(LIMIT + 2);

    start(NULL);
    CHECK(code != NULL);
    memset(code, '#', LIMIT + 1);
    memcpy(code, "x = 7\n", 6);
    code[LIMIT + 1] = '\0';
    interpreter_check(&first, code, KERNEL_E_REMOTE, "code must be at most 1 MiB");
    code[MEGABYTE] = '\0';
    interpreter_check(&first, code, KERNEL_OK, "Succeeded");
    interpreter_check_text(&first, "x", TEXT("Succeeded", "7", "", ""));
    free(code);
    interpreter_free(&first);
}

static void code_is_in_no_log(void)
{
    start(NULL);
    interpreter_check(&first, "secret_word = 'swordfish'", KERNEL_OK, NULL);
    CHECK(interpreter_has_logged(&first, "bytes of code"));
    CHECK(!interpreter_has_logged(&first, "swordfish"));
    interpreter_free(&first);
}

TESTS(TEST(printed_text_comes_back_as_four_parts), TEST(last_expression_is_the_result),
      TEST(figures_come_as_bytes_and_stand_in_the_text_by_their_size),
      TEST(table_comes_as_text_and_its_html_beside_it), TEST(wrapping_around_the_code_is_taken_off),
      TEST(wrapping_stays_if_the_configuration_says_so), TEST(failing_code_is_a_result),
      TEST(interpreter_that_ends_itself_loses_its_variables_alone),
      TEST(endless_loop_ends_in_time_and_keeps_the_variables),
      TEST(hundred_megabytes_of_output_are_cut), TEST(empty_code_is_refused),
      TEST(variables_stay_between_calls),
      TEST(instances_of_one_kernel_share_the_pool_but_no_session), TEST(two_kernels_have_two_pools),
      TEST(identifier_of_odd_characters_is_a_session_like_any_other),
      TEST(pool_that_dies_ends_the_call_and_the_next_starts_another),
      TEST(pool_that_is_killed_leaves_no_files),
      TEST(cancelled_code_is_interrupted_and_keeps_the_variables),
      TEST(deadline_of_the_call_beats_the_execution),
      TEST(calls_at_the_same_time_take_turns_in_the_session), TEST(pool_ends_with_the_kernel),
      TEST(freeing_the_kernel_ends_running_code), TEST(pool_ends_with_the_host_however_that_dies),
      TEST(missing_bubblewrap_is_named_with_what_to_install),
      TEST(socket_path_that_is_too_long_is_refused_with_its_length),
      TEST(temporary_directory_that_is_too_long_is_refused),
      TEST(megabyte_of_code_runs_and_more_names_the_limit), TEST(code_is_in_no_log))
