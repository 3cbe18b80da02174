/*
 * How the local pool is started, watched and ended. The programs are shell
 * scripts that behave as a pool program may, the well-behaved one included; what
 * a pool does is tested with the real one elsewhere.
 */
#define KP_STATIC_NAME test_opener
#include <kernel/plugin.h>

#include "support/interpreter.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/files.h"
#include "support/replay_server.h"

#define READY(socket)                                                                              \
    "echo '{\"socket\":\"" socket                                                                  \
    "\",\"endpoint\":\"http://localhost\",\"level\":\"none\",\"pid\":1}'\n"
#define COUNT_STARTS "echo started >> \"$(dirname \"$0\")/starts\"\n"
#define STAY         "exec cat\n" /* until the lifeline is cut */

static const char answer_text[] =
    "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 71\r\n\r\n"
    "{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"hi\",\"executionResult\":\"\"}}   ";

typedef struct fixture {
    file_path_t directory;
    file_path_t program;
    char config[PATH_MAX + 128];
    interpreter_t interpreter;
} fixture_t;

static void write_program(fixture_t *f, const char *script)
{
    char text[4096];

    (void)snprintf(text, sizeof(text), "#!/bin/sh\n%s", script);
    file_write(f->program.text, text, strlen(text));
    CHECK_EQ(chmod(f->program.text, 0755), 0);
}

static fixture_t *fixture_new(const char *script, unsigned start_timeout_ms)
{
    fixture_t *f = calloc(1, sizeof(*f));

    f->directory = temp_dir_new();
    f->program = file_in(f->directory.text, "pool");
    write_program(f, script);
    (void)snprintf(f->config, sizeof(f->config), "{\"program\":\"%s\",\"start_timeout_ms\":%u}",
                   f->program.text, start_timeout_ms);
    interpreter_init(&f->interpreter, f->config, NULL);
    return f;
}

static void fixture_free(fixture_t *f)
{
    interpreter_free(&f->interpreter);
    temp_dir_free(&f->directory);
    free(f);
}

static size_t count_starts(const fixture_t *f)
{
    file_path_t path = file_in(f->directory.text, "starts");
    char *text = file_read(path.text, NULL);
    size_t count = 0;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) {
        count++;
    }
    free(text);
    return count;
}

/* A pool program that leads to a server of the test. */
static fixture_t *fixture_with_server(replay_server_t *server, const char *before)
{
    char script[2048];

    (void)snprintf(script, sizeof(script), "%s" READY("%s") STAY, before,
                   replay_server_socket_path(server));
    return fixture_new(script, 10000);
}

static void set_answer(replay_server_t *server)
{
    static const replay_answer_t answer = REPLAY_ANSWER_TEXT(answer_text);

    replay_server_set(server, "/executions", &answer);
}

static void missing_program_is_named_with_what_to_do(void)
{
    static interpreter_t interpreter;

    interpreter_init(&interpreter, "{\"program\":\"/nonexistent/pool\"}", NULL);
    interpreter_check(&interpreter, "1", KERNEL_E_NOT_FOUND, "/nonexistent/pool");
    interpreter_check(&interpreter, "1", KERNEL_E_NOT_FOUND, "SEMKERNEL_SESSIOND");
    interpreter_free(&interpreter);
}

static void program_is_taken_from_the_environment(void)
{
    static interpreter_t interpreter;

    CHECK_EQ(setenv("SEMKERNEL_SESSIOND", "/nonexistent/from-environment", 1), 0);
    interpreter_init(&interpreter, NULL, NULL);
    interpreter_check(&interpreter, "1", KERNEL_E_NOT_FOUND, "/nonexistent/from-environment");
    interpreter_free(&interpreter);
}

static void missing_sandbox_is_reported_as_the_program_says_it(void)
{
    fixture_t *f =
        fixture_new("echo first >&2; echo 'semkernel-sessiond: no bubblewrap' >&2; exit 78", 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNSUPPORTED,
                      "cannot start the local session pool: no bubblewrap");
    fixture_free(f);
}

static void other_failure_to_start_is_reported_with_its_last_line(void)
{
    fixture_t *f = fixture_new("echo 'semkernel-sessiond: no room' >&2; exit 73", 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE,
                      "cannot start the local session pool: no room");
    fixture_free(f);
}

static void silent_end_is_reported_with_its_exit_status(void)
{
    fixture_t *f = fixture_new("exit 3", 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE,
                      "ended with exit status 3 and said nothing");
    fixture_free(f);
}

static void end_by_a_signal_is_reported_with_its_number(void)
{
    fixture_t *f = fixture_new("kill -11 $$", 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE, "signal 11 ended");
    fixture_free(f);
}

static void other_program_is_recognised_by_its_output(void)
{
    fixture_t *f = fixture_new("echo hello; " STAY, 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE, "not JSON");
    fixture_free(f);
}

static void endless_output_is_no_announcement(void)
{
    fixture_t *f = fixture_new("exec head -c 1000000 /dev/zero", 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE, "not JSON");
    fixture_free(f);
}

static void program_that_is_not_ready_in_time_is_ended(void)
{
    fixture_t *f = fixture_new(COUNT_STARTS "echo starting >&2; " STAY, 100);

    interpreter_check(&f->interpreter, "1", KERNEL_E_TIMEOUT, "was not ready within 100 ms");
    CHECK_EQ(count_starts(f), 1);
    fixture_free(f);
}

static void line_in_two_pieces_is_one_line(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    char script[2048];
    fixture_t *f = NULL;

    set_answer(server);
    (void)snprintf(script, sizeof(script),
                   "printf '{\"socket\":\"%s\",'\nread wait < \"$(dirname \"$0\")/fifo\"\n"
                   "echo '\"endpoint\":\"http://localhost\",\"level\":\"x\"}'\n" STAY,
                   replay_server_socket_path(server));
    f = fixture_new(script, 10000);
    {
        file_path_t fifo = file_in(f->directory.text, "fifo");
        running_t running;
        FILE *file = NULL;

        CHECK_EQ(mkfifo(fifo.text, 0600), 0);
        running_start(&running, &f->interpreter, "1");
        file = fopen(fifo.text, "we"); /* waits until the script has come there */
        CHECK(file != NULL);
        (void)fputs("go\n", file);
        (void)fclose(file);
        running_check(&running, KERNEL_OK, "hi");
    }
    fixture_free(f);
    replay_server_free(server);
}

static void one_start_serves_all_that_wait(void)
{
    enum { CALLS = 8 };
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = fixture_with_server(server, COUNT_STARTS);
    running_t running[CALLS];

    set_answer(server);
    for (int i = 0; i < CALLS; i++) {
        running_start(&running[i], &f->interpreter, "1");
    }
    for (int i = 0; i < CALLS; i++) {
        running_check(&running[i], KERNEL_OK, "hi");
    }
    CHECK_EQ(count_starts(f), 1);
    fixture_free(f);
    replay_server_free(server);
}

static void nothing_is_started_before_the_first_call(void)
{
    fixture_t *f = fixture_new("exit 3", 10000);

    CHECK(!interpreter_has_logged(&f->interpreter, "exit status 3"));
    interpreter_check(&f->interpreter, " ", KERNEL_E_INVALID, "it is empty");
    CHECK(!interpreter_has_logged(&f->interpreter, "exit status 3"));
    fixture_free(f);
}

static void program_that_ended_is_started_anew(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = fixture_with_server(server, COUNT_STARTS);
    pid_t pid = 0;

    set_answer(server);
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    pid = interpreter_pool_pid(&f->interpreter);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    interpreter_wait_for_log(&f->interpreter, "ended by itself");
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    CHECK_EQ(count_starts(f), 2);
    CHECK(interpreter_pool_pid(&f->interpreter) != pid);
    fixture_free(f);
    replay_server_free(server);
}

static void repeated_failures_are_not_repeated_for_ever(void)
{
    fixture_t *f = fixture_new(COUNT_STARTS "echo 'no luck' >&2; exit 1", 10000);

    for (int i = 0; i < 3; i++) {
        interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE, "no luck");
    }
    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE,
                      "no luck (failed 3 times in a row, next attempt in 1 s)");
    CHECK_EQ(count_starts(f), 3);
    fixture_free(f);
}

static void call_that_waits_for_the_start_can_be_cancelled(void)
{
    fixture_t *f = fixture_new(COUNT_STARTS STAY, 600000);
    running_t running;
    running_t other;

    running_start(&running, &f->interpreter, "1");
    running_start(&other, &f->interpreter, "1");
    kernel_call_cancel(running.call);
    running_check(&running, KERNEL_E_CANCELLED, NULL);
    kernel_call_cancel(other.call);
    running_check(&other, KERNEL_E_CANCELLED, NULL);
    fixture_free(f);
}

static void call_that_waits_for_the_start_ends_at_its_deadline(void)
{
    fixture_t *f = fixture_new(STAY, 600000);
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_result_t *result = NULL;

    options.timeout_ms = 20;
    result = interpreter_run_with(&f->interpreter, "1", &options);
    CHECK_EQ(kernel_result_status(result), KERNEL_E_TIMEOUT);
    kernel_result_free(result);
    fixture_free(f);
}

static void freeing_the_kernel_during_the_start_ends_all(void)
{
    fixture_t *f = fixture_new(STAY, 600000);
    running_t running;

    running_start(&running, &f->interpreter, "1");
    kernel_call_release(running.call);
    fixture_free(f);
    CHECK(running.result != NULL);
    CHECK(kernel_result_status(running.result) == KERNEL_E_CLOSED ||
          kernel_result_status(running.result) == KERNEL_E_CANCELLED);
    kernel_result_free(running.result);
}

static void program_is_asked_to_end_with_the_kernel(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = NULL;
    char script[2048];
    pid_t pid = 0;

    set_answer(server);
    (void)snprintf(script, sizeof(script),
                   "trap 'echo asked > \"$(dirname \"$0\")/asked\"; exit 0' TERM\n" READY(
                       "%s") "while :; do sleep 0.05; done\n",
                   replay_server_socket_path(server));
    f = fixture_new(script, 10000);
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    pid = interpreter_pool_pid(&f->interpreter);
    interpreter_free(&f->interpreter);
    CHECK_EQ(kill(pid, 0), -1);
    {
        file_path_t path = file_in(f->directory.text, "asked");
        char *text = file_read(path.text, NULL);

        CHECK_STR(text, "asked\n");
        free(text);
    }
    temp_dir_free(&f->directory);
    free(f);
    replay_server_free(server);
}

static void program_gets_its_own_variables_and_no_secrets(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = NULL;
    file_path_t path;
    char *text = NULL;

    set_answer(server);
    CHECK_EQ(setenv("SEMKERNEL_SESSIOND_MAX_SESSIONS", "3", 1), 0);
    CHECK_EQ(setenv("OPENAI_API_KEY", "topsecret", 1), 0);
    f = fixture_with_server(server, "env > \"$(dirname \"$0\")/env\"\n");
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    path = file_in(f->directory.text, "env");
    text = file_read(path.text, NULL);
    CHECK_STR_CONTAINS(text, "SEMKERNEL_SESSIOND_MAX_SESSIONS=3\n");
    CHECK(strstr(text, "topsecret") == NULL);
    free(text);
    fixture_free(f);
    replay_server_free(server);
}

static void pool_gets_no_authorization(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = fixture_with_server(server, "");
    char request[4096];

    set_answer(server);
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    (void)replay_server_request(server, request, sizeof(request));
    CHECK_STR_CONTAINS(request, "POST /executions?identifier=");
    CHECK_STR_CONTAINS(request, "\r\nHost: localhost\r\n");
    CHECK(strstr(request, "Authorization") == NULL);
    fixture_free(f);
    replay_server_free(server);
}

static void lost_connection_is_a_crash_and_is_not_repeated(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = fixture_with_server(server, "");
    replay_answer_t answer = REPLAY_ANSWER_TEXT(answer_text);

    answer.cut_at = 0;
    answer.end = REPLAY_CLOSE;
    replay_server_set(server, "/executions", &answer);
    interpreter_check(&f->interpreter, "1", KERNEL_E_CRASHED, "ended while the code ran");
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 1);

    set_answer(server); /* on a connection that is kept, too */
    interpreter_check(&f->interpreter, "1", KERNEL_OK, "hi");
    replay_server_set(server, "/executions", &answer);
    interpreter_check(&f->interpreter, "1", KERNEL_E_CRASHED, "ended while the code ran");
    CHECK_EQ(replay_server_count(server, REPLAY_REQUESTED), 3);
    fixture_free(f);
    replay_server_free(server);
}

static void socket_that_nobody_listens_at_is_tried_again(void)
{
    fixture_t *f = fixture_new(READY("/nonexistent/socket") STAY, 10000);

    interpreter_check(&f->interpreter, "1", KERNEL_E_UNAVAILABLE,
                      "cannot run the code in the local session pool");
    CHECK(interpreter_has_logged(&f->interpreter, "nothing ran yet; again in"));
    fixture_free(f);
}

static void socket_path_that_is_too_long_is_refused(void)
{
    char script[2048];
    char path[300];
    fixture_t *f = NULL;

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    (void)snprintf(script, sizeof(script), READY("%s") STAY, path);
    f = fixture_new(script, 10000);
    interpreter_check(&f->interpreter, "1", KERNEL_E_INVALID, "socket");
    fixture_free(f);
}

/* ---- an instance that asks for the pool by itself, not for one of its calls ---- */

static struct {
    latch_t done;
    int times;
    int status;
    bool has_pool;
} opened = {.done = LATCH_INIT};

static void note_opened(void *arg, int status, const kp_session_pool *pool, const char *error)
{
    (void)arg;
    opened.times++;
    opened.status = status;
    opened.has_pool = pool != NULL;
    CHECK((error == NULL) == (status == KP_OK));
    latch_open(&opened.done);
}

static int opener_create(kp_instance *instance)
{
    (void)instance;
    return KP_OK;
}

KP_FUNCTION(status, open, "Ask for the pool.")
{
    const kp_sessions *sessions = kp_extension(call->instance, KP_EXT_SESSIONS);

    if (sessions == NULL) {
        return KP_E_UNSUPPORTED;
    }
    return sessions->open(sessions, call->instance, NULL, note_opened, NULL);
}

KP_PLUGIN_EX(.name = "test_opener", .version = "1.0.0", .description = "Asks for the pool.",
             .functions = KP_FUNCTIONS(open), .create = opener_create);

static kernel_plugin_t *add_opener(fixture_t *f)
{
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_plugin_t *opener = NULL;
    kernel_result_t *result = NULL;

    CHECK_EQ(kernel_register_static("test_opener", kernel_plugin_v1_test_opener, &error),
             KERNEL_OK);
    opener = kernel_add_plugin(f->interpreter.kernel, "test_opener", "opener", NULL, &error);
    result = kernel_invoke(kernel_plugin_find(opener, "open"), NULL);
    CHECK_STR(kernel_result_text(result), "");
    kernel_result_free(result);
    return opener;
}

static void instance_may_ask_without_a_call(void)
{
    replay_server_t *server = replay_server_new(REPLAY_UNIX);
    fixture_t *f = fixture_with_server(server, "");

    (void)add_opener(f);
    latch_wait(&opened.done);
    CHECK_EQ(opened.status, KP_OK);
    CHECK(opened.has_pool);
    fixture_free(f);
    CHECK_EQ(opened.times, 1);
    replay_server_free(server);
}

static void removal_of_an_instance_that_waits_ends_its_wait(void)
{
    fixture_t *f = fixture_new(STAY, 600000);
    kernel_plugin_t *opener = add_opener(f);

    CHECK_EQ(kernel_remove_plugin(opener, NULL), KERNEL_OK);
    CHECK_EQ(opened.times, 1);
    CHECK_EQ(opened.status, KP_E_CANCELLED);
    fixture_free(f);
    CHECK_EQ(opened.times, 1);
}

TESTS(TEST(missing_program_is_named_with_what_to_do), TEST(program_is_taken_from_the_environment),
      TEST(missing_sandbox_is_reported_as_the_program_says_it),
      TEST(other_failure_to_start_is_reported_with_its_last_line),
      TEST(silent_end_is_reported_with_its_exit_status),
      TEST(end_by_a_signal_is_reported_with_its_number),
      TEST(other_program_is_recognised_by_its_output), TEST(endless_output_is_no_announcement),
      TEST(program_that_is_not_ready_in_time_is_ended), TEST(line_in_two_pieces_is_one_line),
      TEST(one_start_serves_all_that_wait), TEST(nothing_is_started_before_the_first_call),
      TEST(program_that_ended_is_started_anew), TEST(repeated_failures_are_not_repeated_for_ever),
      TEST(call_that_waits_for_the_start_can_be_cancelled),
      TEST(call_that_waits_for_the_start_ends_at_its_deadline),
      TEST(freeing_the_kernel_during_the_start_ends_all),
      TEST(program_is_asked_to_end_with_the_kernel),
      TEST(program_gets_its_own_variables_and_no_secrets), TEST(pool_gets_no_authorization),
      TEST(lost_connection_is_a_crash_and_is_not_repeated),
      TEST(socket_that_nobody_listens_at_is_tried_again),
      TEST(socket_path_that_is_too_long_is_refused), TEST(instance_may_ask_without_a_call),
      TEST(removal_of_an_instance_that_waits_ends_its_wait))
