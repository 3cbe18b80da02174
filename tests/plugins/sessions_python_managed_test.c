/*
 * What a managed pool is asked, and what is made of its answers: a server of the
 * test stands for it, so that every form of answer can be had.
 */
#define KP_STATIC_NAME test_identity
#include <kernel/plugin.h>

#include "support/interpreter.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/replay_server.h"

#define POOL  "/subscriptions/s/sessionPools/p"
#define ROUTE POOL "/executions"

static interpreter_t tool; /* large, hence not on the stack */

typedef struct fixture {
    replay_server_t *server;
    char answers[4][4096]; /* of the server, in the order of setting */
    size_t answer_count;
} fixture_t;

static void set_bytes(fixture_t *f, const char *path, const char *head, const char *body,
                      replay_answer_t *answer)
{
    char *bytes = f->answers[f->answer_count % 4];
    int size = snprintf(bytes, sizeof(f->answers[0]),
                        "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);

    CHECK(size > 0 && (size_t)size < sizeof(f->answers[0]));
    f->answer_count++;
    answer->bytes = bytes;
    answer->size = (size_t)size;
    replay_server_set(f->server, path, answer);
}

/* "200 OK\r\nName: value" and a body. */
static void set_answer(fixture_t *f, const char *head, const char *body)
{
    replay_answer_t answer = REPLAY_ANSWER_BYTES(NULL, 0);

    set_bytes(f, ROUTE, head, body, &answer);
}

/* The answer to the next request alone; the one after it gets the second one. */
static void set_answers(fixture_t *f, const char *head, const char *body, const char *second_head,
                        const char *second_body, running_t *running)
{
    replay_answer_t answer = REPLAY_ANSWER_BYTES(NULL, 0);
    size_t stalled = replay_server_count(f->server, REPLAY_STALLED);

    answer.stall_at = 1;
    set_bytes(f, ROUTE, head, body, &answer);
    running_start(running, &tool, "1");
    replay_server_wait(f->server, REPLAY_STALLED, stalled + 1);
    set_answer(f, second_head, second_body);
    replay_server_go(f->server);
}

/* `members`: further members of the configuration, each with a comma before it. */
static fixture_t *fixture_new(const char *members)
{
    fixture_t *f = calloc(1, sizeof(*f));
    char url[256];
    char config[1024];

    f->server = replay_server_new(REPLAY_TCP);
    replay_server_url(f->server, POOL, url, sizeof(url));
    (void)snprintf(config, sizeof(config),
                   "{\"pool_management_endpoint\":\"%s//python/execute/\","
                   "\"session_id\":\"a&b#c%%d\"%s}",
                   url, members);
    interpreter_init(&tool, NULL, config);
    return f;
}

static void fixture_free(fixture_t *f)
{
    interpreter_free(&tool);
    replay_server_free(f->server);
    free(f);
}

#define TOKEN   ",\"token\":\"t0p-secret\""
#define GOOD    "{\"status\":\"Succeeded\",\"result\":{\"stdout\":\"fine\",\"stderr\":\"\"}}"
#define GOOD_A  "{\"properties\":{\"status\":\"Success\",\"stdout\":\"fine\",\"stderr\":\"\"}}"
#define SHAPE   "{\"error\":{\"code\":\"SessionPropertiesMissing\",\"message\":\"m\"}}"
#define OK_HEAD "200 OK\r\nContent-Type: application/json"

static const char *request_of(fixture_t *f)
{
    static char request[8192];

    (void)replay_server_request(f->server, request, sizeof(request));
    return request;
}

static void check_body(fixture_t *f, const char *wanted)
{
    const char *body = strstr(request_of(f), "\r\n\r\n");

    CHECK(body != NULL);
    CHECK_STR(body + 4, wanted);
}

static void request_of_family_b_is_flat(void)
{
    fixture_t *f = fixture_new(TOKEN);
    const char *request = NULL;

    set_answer(f, OK_HEAD, GOOD);
    interpreter_check(&tool, "print(\"a\\n\")\nx = '\xC3\xA4'", KERNEL_OK, "fine");
    request = request_of(f);
    CHECK_STR_CONTAINS(request, "POST " ROUTE "?identifier=a%26b%23c%25d&"
                                "api-version=2024-10-02-preview HTTP/1.1\r\n");
    CHECK_STR_CONTAINS(request, "\r\nAuthorization: Bearer t0p-secret\r\n");
    CHECK_STR_CONTAINS(request, "\r\nUser-Agent: semkernel/" KERNEL_VERSION_STRING "\r\n");
    CHECK_STR_CONTAINS(request, "\r\nContent-Type: application/json\r\n");
    CHECK_STR_CONTAINS(request, "\r\nAccept: application/json\r\n");
    check_body(f, "{\"codeInputType\":\"Inline\",\"executionType\":\"Synchronous\","
                  "\"timeoutInSeconds\":100,\"code\":\"print(\\\"a\\\\n\\\")\\nx = '\xC3\xA4'\"}");
    CHECK(!interpreter_has_logged(&tool, "t0p-secret"));
    CHECK(!interpreter_has_logged(&tool, "a&b"));
    CHECK(!interpreter_has_logged(&tool, "a%26b"));
    fixture_free(f);
}

static void request_of_family_a_is_wrapped(void)
{
    fixture_t *f =
        fixture_new(TOKEN ",\"api_version\":\"2024-02-02-preview\",\"timeout_seconds\":7");
    replay_answer_t answer = REPLAY_ANSWER_BYTES(NULL, 0);

    set_bytes(f, POOL "/code/execute", OK_HEAD, GOOD_A, &answer);
    interpreter_check_text(&tool, "1", "Status:\nSuccess\nResult:\n\nStdout:\nfine\nStderr:\n");
    CHECK_STR_CONTAINS(request_of(f), "POST " POOL "/code/execute?identifier=a%26b%23c%25d&"
                                      "api-version=2024-02-02-preview HTTP/1.1\r\n");
    check_body(f, "{\"properties\":{\"codeInputType\":\"inline\",\"executionType\":\"synchronous\","
                  "\"timeoutInSeconds\":7,\"code\":\"1\"}}");
    fixture_free(f);
}

static void any_status_of_success_counts(void)
{
    static const char *const heads[] = {"200 OK", "201 Created", "202 Accepted"};
    fixture_t *f = fixture_new(TOKEN);

    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        set_answer(f, heads[i], GOOD);
        interpreter_check(&tool, "1", KERNEL_OK, "fine");
    }
    fixture_free(f);
}

static void refusal_becomes_a_status_with_the_text_of_the_service(void)
{
    static const struct {
        const char *head;
        const char *body;
        kernel_status_t status;
        const char *text;
    } samples[] = {
        {"400 Bad Request",
         "{\"error\":{\"code\":\"SessionRequestValidationFailed\",\"message\":\"no.\"}}",
         KERNEL_E_REMOTE, "HTTP status 400, SessionRequestValidationFailed: no"},
        {"400 Bad Request", "{\"title\":\"Invalid.\",\"errors\":{\"$\":[\"at 1\"]}}",
         KERNEL_E_REMOTE, "HTTP status 400: Invalid. at 1"},
        {"401 Unauthorized", "", KERNEL_E_AUTH, "check \"2024-10-02-preview\""},
        {"401 Unauthorized\r\nWWW-Authenticate: Bearer", "", KERNEL_E_AUTH,
         "the token is wrong, has expired"},
        {"403 Forbidden", "", KERNEL_E_DENIED, "Azure ContainerApps Session Executor"},
        {"404 Not Found\r\nx-ms-error-code: NoSessionFoundError", "", KERNEL_E_NOT_FOUND,
         "HTTP status 404, NoSessionFoundError"},
        {"413 Too Large", "<html><body>too large</body></html>", KERNEL_E_LIMIT,
         "HTTP status 413: too large"},
        {"500 Oops", "plain words", KERNEL_E_REMOTE, "HTTP status 500: plain words"},
        {"503 Busy\r\nRetry-After: 0", "{\"code\":\"C\",\"message\":\"m\"}", KERNEL_E_REMOTE,
         "the code may have run"},
        {"307 Elsewhere\r\nLocation: http://127.0.0.1:1/", "", KERNEL_E_REMOTE, "HTTP status 307"},
    };
    fixture_t *f = fixture_new(TOKEN);

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        set_answer(f, samples[i].head, samples[i].body);
        interpreter_check(&tool, "1", samples[i].status, samples[i].text);
        CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), i + 1); /* never repeated */
    }
    fixture_free(f);
}

static void refusal_has_details_for_logs(void)
{
    fixture_t *f = fixture_new(TOKEN);
    kernel_result_t *result = NULL;

    set_answer(f, "404 Not Found", "{\"code\":\"NoSessionFoundError\",\"message\":\"m\"}");
    result = interpreter_run(&tool, "1");
    CHECK_STR(kernel_result_detail(result),
              "{\"http_status\":404,\"code\":\"NoSessionFoundError\",\"retry_after_ms\":-1}");
    CHECK_STR_CONTAINS(kernel_result_error(result), "cannot run the code in the pool at "
                                                    "http://127.0.0.1:");
    CHECK(strstr(kernel_result_error(result), "subscriptions") == NULL);
    kernel_result_free(result);
    fixture_free(f);
}

static void too_many_sessions_are_waited_for(void)
{
    fixture_t *f = fixture_new(TOKEN);
    running_t running;

    set_answers(f, "429 Too Many\r\nRetry-After: 0", "{\"code\":\"SessionsCountExceedsLimit\"}",
                OK_HEAD, GOOD, &running);
    running_check(&running, KERNEL_OK, "fine");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 2);
    fixture_free(f);
}

static void too_many_sessions_are_waited_for_three_times(void)
{
    fixture_t *f = fixture_new(TOKEN);

    set_answer(f, "429 Too Many\r\nRetry-After: 0",
               "{\"code\":\"SessionsCountExceedsLimit\",\"message\":\"full\"}");
    interpreter_check(&tool, "1", KERNEL_E_BUSY, "SessionsCountExceedsLimit: full");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 4);
    fixture_free(f);
}

static void long_wait_is_left_to_the_caller(void)
{
    fixture_t *f = fixture_new(TOKEN);
    kernel_invoke_options_t options = KERNEL_INVOKE_OPTIONS_INIT;
    kernel_result_t *result = NULL;

    set_answer(f, "429 Too Many\r\nRetry-After: 61", "");
    interpreter_check(&tool, "1", KERNEL_E_BUSY, "it asks to wait for 61 s");

    set_answer(f, "429 Too Many\r\nRetry-After: 30", "");
    options.timeout_ms = 20000;
    result = interpreter_run_with(&tool, "1", &options);
    CHECK_EQ(kernel_result_status(result), KERNEL_E_BUSY);
    CHECK_STR_CONTAINS(kernel_result_error(result), "it asks to wait for 30 s");
    CHECK_STR_CONTAINS(kernel_result_detail(result), "\"retry_after_ms\":30000");
    kernel_result_free(result);
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 2);
    fixture_free(f);
}

static void wait_before_another_attempt_can_be_cancelled(void)
{
    fixture_t *f = fixture_new(TOKEN);
    running_t running;

    set_answer(f, "429 Too Many\r\nRetry-After: 59", "");
    running_start(&running, &tool, "1");
    interpreter_wait_for_log(&tool, "nothing ran yet; again in");
    kernel_call_cancel(running.call);
    running_check(&running, KERNEL_E_CANCELLED, NULL);
    fixture_free(f);
}

static void freeing_the_kernel_ends_the_wait(void)
{
    fixture_t *f = fixture_new(TOKEN);
    running_t running;

    set_answer(f, "429 Too Many\r\nRetry-After: 59", "");
    running_start(&running, &tool, "1");
    interpreter_wait_for_log(&tool, "nothing ran yet; again in");
    kernel_call_release(running.call);
    fixture_free(f);
    CHECK(running.result != NULL);
    kernel_result_free(running.result);
}

static void other_shape_is_tried_once_and_remembered(void)
{
    fixture_t *f = fixture_new(TOKEN);
    running_t running;

    set_answers(f, "400 Bad Request", SHAPE, OK_HEAD, GOOD, &running);
    running_check(&running, KERNEL_OK, "fine");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 2);
    check_body(f, "{\"properties\":{\"codeInputType\":\"Inline\",\"executionType\":\"Synchronous\","
                  "\"timeoutInSeconds\":100,\"code\":\"1\"}}");
    interpreter_check(&tool, "2", KERNEL_OK, "fine");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 3);
    CHECK_STR_CONTAINS(request_of(f), "\r\n\r\n{\"properties\":");

    set_answer(f, "400 Bad Request", SHAPE);
    interpreter_check(&tool, "3", KERNEL_E_REMOTE, "SessionPropertiesMissing");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 5);
    set_answer(f, OK_HEAD, GOOD); /* what worked last is what is tried first */
    interpreter_check(&tool, "4", KERNEL_OK, "fine");
    CHECK_STR_CONTAINS(request_of(f), "\r\n\r\n{\"properties\":");
    fixture_free(f);
}

static void lost_answer_is_not_asked_for_again(void)
{
    fixture_t *f = fixture_new(TOKEN);
    replay_answer_t answer = REPLAY_ANSWER_BYTES(NULL, 0);

    answer.cut_at = 0;
    answer.end = REPLAY_CLOSE;
    set_bytes(f, ROUTE, OK_HEAD, GOOD, &answer);
    interpreter_check(&tool, "1", KERNEL_E_UNAVAILABLE, "the code may have run");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 1);
    answer.cut_at = 30;
    answer.end = REPLAY_RESET;
    set_bytes(f, ROUTE, OK_HEAD, GOOD, &answer);
    interpreter_check(&tool, "1", KERNEL_E_UNAVAILABLE, "the code may have run");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 2);
    fixture_free(f);
}

static void pool_that_cannot_be_reached_is_tried_again(void)
{
    fixture_t *f = fixture_new(TOKEN);

    replay_server_free(f->server);
    interpreter_check(&tool, "1", KERNEL_E_UNAVAILABLE,
                      "cannot run the code in the pool at "
                      "http://127.0.0.1:");
    CHECK(interpreter_has_logged(&tool, "nothing ran yet; again in"));
    interpreter_free(&tool);
    free(f);
}

static void answer_that_is_no_json_is_shown_in_part(void)
{
    fixture_t *f = fixture_new(TOKEN);

    set_answer(f, OK_HEAD, "{\"status\":\"Succeeded\",\"result\":{\"executionResult\":NaN}}");
    interpreter_check(&tool, "1", KERNEL_E_REMOTE, "cannot read the answer of the pool");
    set_answer(f, OK_HEAD, "");
    interpreter_check(&tool, "1", KERNEL_E_REMOTE, "not JSON");
    fixture_free(f);
}

static void image_is_attached(void)
{
    fixture_t *f = fixture_new(TOKEN);
    kernel_result_t *result = NULL;
    const kernel_attachment_t *image = NULL;

    set_answer(f, OK_HEAD,
               "{\"status\":\"Succeeded\",\"result\":{\"executionResult\":{\"type\":\"image\","
               "\"format\":\"png\",\"base64_data\":\"aGVsbG8=\"}}}");
    result = interpreter_run(&tool, "1");
    CHECK_STR_CONTAINS(kernel_result_text(result), "Result:\n[image/png, 5 bytes]\n");
    CHECK(strstr(kernel_result_json(result), "aGVsbG8") == NULL);
    CHECK_EQ(kernel_result_attachment_count(result), 1);
    image = kernel_result_attachment_at(result, 0);
    CHECK_STR(image->name, "figure-1.png");
    CHECK_STR(image->media_type, "image/png");
    CHECK_EQ(image->data_size, 5);
    CHECK_EQ(memcmp(image->data, "hello", 5), 0);
    kernel_result_free(result);
    fixture_free(f);
}

static void big_integer_keeps_its_digits(void)
{
    fixture_t *f = fixture_new(TOKEN);
    kernel_result_t *result = NULL;

    set_answer(
        f, OK_HEAD,
        "{\"status\":\"Succeeded\",\"result\":{\"executionResult\":12345678901234567890123}}");
    result = interpreter_run(&tool, "1");
    CHECK_STR_CONTAINS(kernel_result_text(result), "Result:\n12345678901234567890123\n");
    CHECK_STR_CONTAINS(kernel_result_json(result), "\"result\":12345678901234567890123,");
    kernel_result_free(result);
    fixture_free(f);
}

static void pool_without_a_token_says_how_to_give_one(void)
{
    fixture_t *f = fixture_new("");

    interpreter_check(&tool, "1", KERNEL_E_AUTH,
                      "set \"token\" in its configuration to a bearer token");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 0);
    fixture_free(f);
}

static void token_that_no_header_can_hold_is_refused(void)
{
    fixture_t *f = fixture_new(",\"token\":\"t0p-secret\\r\\nHost: evil\"");
    kernel_result_t *result = interpreter_run(&tool, "1");

    CHECK_EQ(kernel_result_status(result), KERNEL_E_INVALID);
    CHECK(kernel_result_error(result)[0] != '\0');
    CHECK(strstr(kernel_result_error(result), "secret") == NULL);
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 0);
    kernel_result_free(result);
    fixture_free(f);
}

/* ---- tokens of a credential service, which this static module stands for ---- */

typedef struct identity {
    kp_credential table; /* first */
    kp_instance *instance;
    const kp_loop *loop;
    int fails;
} identity_t;

typedef struct token_wish {
    identity_t *identity;
    kp_result_fn on_result;
    void *arg;
    int force_refresh;
    char scope[128];
} token_wish_t;

static char last_scope[128];

static void identity_answer(void *arg)
{
    token_wish_t *wish = arg;
    kp_result result;

    memset(&result, 0, sizeof(result));
    result.size = (uint32_t)sizeof(result);
    (void)snprintf(last_scope, sizeof(last_scope), "%s", wish->scope);
    if (wish->identity->fails) {
        result.status = KP_E_AUTH;
        result.error = "nobody is signed in";
    } else {
        result.value = kp_of_string(wish->force_refresh ? "second-token" : "first-token");
    }
    wish->on_result(wish->arg, &result);
    free(wish);
}

static int identity_token(const kp_credential *table, kp_call *call, const char *credential,
                          const char *scope, int force_refresh, kp_result_fn on_result, void *arg)
{
    identity_t *identity = (identity_t *)(uintptr_t)table;
    token_wish_t *wish = calloc(1, sizeof(*wish));

    (void)call;
    (void)credential;
    wish->identity = identity;
    wish->on_result = on_result;
    wish->arg = arg;
    wish->force_refresh = force_refresh;
    (void)snprintf(wish->scope, sizeof(wish->scope), "%s", scope);
    return identity->loop->post(identity->loop, identity->instance, identity_answer, wish);
}

static int identity_create(kp_instance *instance)
{
    identity_t *identity = calloc(1, sizeof(*identity));

    identity->table.size = (uint32_t)sizeof(identity->table);
    identity->table.token = identity_token;
    identity->instance = instance;
    identity->loop = kp_extension(instance, KP_EXT_LOOP);
    identity->fails = instance->config[0].as.boolean != 0;
    instance->self = identity;
    return KP_OK;
}

static void identity_destroy(kp_instance *instance)
{
    free(instance->self);
}

static const void *identity_extension(kp_instance *instance, const char *id)
{
    identity_t *identity = instance->self;

    return strcmp(id, KP_EXT_CREDENTIAL) == 0 ? &identity->table : NULL;
}

KP_PLUGIN_EX(.name = "test_identity", .version = "1.0.0", .description = "Hands out two tokens.",
             KP_CONFIG((boolean, fails, "Refuse", .dflt = "false")), .create = identity_create,
             .destroy = identity_destroy, .extension = identity_extension);

static fixture_t *fixture_with_identity(const char *identity_config, const char *members)
{
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;
    fixture_t *f = calloc(1, sizeof(*f));
    char url[256];
    char config[1024];

    f->server = replay_server_new(REPLAY_TCP);
    replay_server_url(f->server, POOL, url, sizeof(url));
    (void)snprintf(config, sizeof(config), "{\"pool_management_endpoint\":\"%s\"%s}", url, members);
    memset(&tool, 0, sizeof(tool));
    options.env_file = "";
    (void)pthread_mutex_init(&tool.lock, NULL);
    (void)pthread_cond_init(&tool.logged, NULL);
    CHECK_EQ(kernel_register_static("test_identity", kernel_plugin_v1_test_identity, &error),
             KERNEL_OK);
    tool.kernel = kernel_new(&options, &error);
    (void)kernel_add_service(tool.kernel, "test_identity", NULL, identity_config, &error);
    tool.plugin = kernel_add_plugin(tool.kernel, "sessions_python", "python", config, &error);
    CHECK_STR(error.text, "");
    tool.execute = kernel_plugin_find(tool.plugin, "execute_code");
    return f;
}

static void token_of_the_credential_service_is_sent(void)
{
    fixture_t *f = fixture_with_identity(NULL, "");

    set_answer(f, OK_HEAD, GOOD);
    interpreter_check(&tool, "1", KERNEL_OK, "fine");
    CHECK_STR_CONTAINS(request_of(f), "\r\nAuthorization: Bearer first-token\r\n");
    CHECK_STR(last_scope, "https://dynamicsessions.io/.default");
    fixture_free(f);
}

static void scope_can_be_configured(void)
{
    fixture_t *f = fixture_with_identity(NULL, ",\"token_endpoint\":\"https://other/.default\"");

    set_answer(f, OK_HEAD, GOOD);
    interpreter_check(&tool, "1", KERNEL_OK, "fine");
    CHECK_STR(last_scope, "https://other/.default");
    fixture_free(f);
}

static void refused_token_is_fetched_anew_once(void)
{
    fixture_t *f = fixture_with_identity(NULL, "");
    running_t running;

    set_answers(f, "401 Unauthorized\r\nWWW-Authenticate: Bearer", "", OK_HEAD, GOOD, &running);
    running_check(&running, KERNEL_OK, "fine");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 2);
    CHECK_STR_CONTAINS(request_of(f), "\r\nAuthorization: Bearer second-token\r\n");

    set_answer(f, "401 Unauthorized\r\nWWW-Authenticate: Bearer", "");
    interpreter_check(&tool, "1", KERNEL_E_AUTH, "HTTP status 401");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 4);
    fixture_free(f);
}

static void failure_to_get_a_token_is_told(void)
{
    fixture_t *f = fixture_with_identity("{\"fails\":true}", "");

    interpreter_check(&tool, "1", KERNEL_E_AUTH, "nobody is signed in");
    CHECK_EQ(replay_server_count(f->server, REPLAY_REQUESTED), 0);
    fixture_free(f);
}

/* ---- configuration ---- */

static void configuration_that_does_not_fit_is_refused_with_the_reason(void)
{
    static const struct {
        const char *config;
        const char *text;
    } samples[] = {
        {"{\"pool_management_endpoint\":\"http://example.org/\"}", "allow_http"},
        {"{\"pool_management_endpoint\":\"https://me:secret@example.org/\"}",
         "user name or password"},
        {"{\"session_id\":\"abc\"}", "4 to 128 printable ASCII characters"},
        {"{\"session_id\":\"with blank\"}", "4 to 128 printable ASCII characters"},
        {"{\"timeout_seconds\":0}", "timeout_seconds"},
        {"{\"timeout_seconds\":221}", "timeout_seconds"},
        {"{\"api_version\":\"latest\"}", "api_version"},
        {"{\"pool\":1}", "pool"},
    };

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        kernel_options_t options = KERNEL_OPTIONS_INIT;
        kernel_error_t error = KERNEL_ERROR_INIT;
        kernel_t *kernel = NULL;

        options.env_file = "";
        kernel = kernel_new(&options, &error);
        CHECK(kernel_add_plugin(kernel, "sessions_python", "py", samples[i].config, &error) ==
              NULL);
        CHECK_EQ(error.status, KERNEL_E_INVALID);
        CHECK_STR_CONTAINS(error.text, samples[i].text);
        CHECK(strstr(error.text, "secret") == NULL);
        kernel_free(kernel);
    }
}

static void endpoint_comes_from_the_environment(void)
{
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_t *kernel = NULL;

    CHECK_EQ(setenv("ACA_POOL_MANAGEMENT_ENDPOINT", "ftp://example.org", 1), 0);
    options.env_file = "";
    kernel = kernel_new(&options, &error);
    CHECK(kernel_add_plugin(kernel, "sessions_python", "py", NULL, &error) == NULL);
    CHECK_STR_CONTAINS(error.text, "pool_management_endpoint: it must begin with https://");
    kernel_free(kernel);
}

TESTS(TEST(request_of_family_b_is_flat), TEST(request_of_family_a_is_wrapped),
      TEST(any_status_of_success_counts),
      TEST(refusal_becomes_a_status_with_the_text_of_the_service),
      TEST(refusal_has_details_for_logs), TEST(too_many_sessions_are_waited_for),
      TEST(too_many_sessions_are_waited_for_three_times), TEST(long_wait_is_left_to_the_caller),
      TEST(wait_before_another_attempt_can_be_cancelled), TEST(freeing_the_kernel_ends_the_wait),
      TEST(other_shape_is_tried_once_and_remembered), TEST(lost_answer_is_not_asked_for_again),
      TEST(pool_that_cannot_be_reached_is_tried_again),
      TEST(answer_that_is_no_json_is_shown_in_part), TEST(image_is_attached),
      TEST(big_integer_keeps_its_digits), TEST(pool_without_a_token_says_how_to_give_one),
      TEST(token_that_no_header_can_hold_is_refused), TEST(token_of_the_credential_service_is_sent),
      TEST(scope_can_be_configured), TEST(refused_token_is_fetched_anew_once),
      TEST(failure_to_get_a_token_is_told),
      TEST(configuration_that_does_not_fit_is_refused_with_the_reason),
      TEST(endpoint_comes_from_the_environment))
