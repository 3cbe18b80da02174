/* What a request costs, beside one that libcurl makes alone. */
#include <kernel/kernel.h>
#include <kernel/plugin.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "bench/bench.h"
#include "support/replay_server.h"

enum { IN_FLIGHT = 64, REQUESTS = 20000, STREAMS = 900, ROUNDS = 5 };

/* ---- the server: a process of its own, so that its costs are not ours ---- */

typedef struct server {
    pid_t process;
    int lifeline; /* it ends when this is closed */
    char url[128];
    char stream_url[128];
} server_t;

static void serve(int out, int lifeline)
{
    static const replay_answer_t answer =
        REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    replay_answer_t stream =
        REPLAY_ANSWER_TEXT("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly the beginning");
    replay_server_t *server = replay_server_new(REPLAY_TCP);
    server_t about = {0};
    char nothing;

    stream.stall_at = stream.size;
    replay_server_set(server, "/", &answer);
    replay_server_set(server, "/stream", &stream);
    replay_server_url(server, "/", about.url, sizeof(about.url));
    replay_server_url(server, "/stream", about.stream_url, sizeof(about.stream_url));
    if (write(out, &about, sizeof(about)) == sizeof(about)) {
        (void)!read(lifeline, &nothing, 1);
    }
    replay_server_free(server);
    _exit(0);
}

static server_t start_server(void)
{
    int about[2];
    int lifeline[2];
    server_t server;
    pid_t process;

    if (pipe(about) != 0 || pipe(lifeline) != 0) {
        abort();
    }
    process = fork();
    if (process == 0) {
        (void)close(lifeline[1]);
        serve(about[1], lifeline[0]);
    }
    (void)close(about[1]);
    (void)close(lifeline[0]);
    if (process < 0 || read(about[0], &server, sizeof(server)) != sizeof(server)) {
        abort();
    }
    (void)close(about[0]);
    server.process = process;
    server.lifeline = lifeline[1];
    return server;
}

static void stop_server(const server_t *server)
{
    (void)close(server->lifeline);
    (void)waitpid(server->process, NULL, 0);
}

/* ---- through the kernel ---- */

typedef struct job {
    const char *url;
    bool is_stream; /* all at once, and none of them ends */
    size_t wanted;
    size_t started;
    size_t ended;
    size_t chunks;
    double cpu_ns; /* of the loop thread */
    kp_call *call;
    const kp_http *http;
} job_t;

static double thread_cpu_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void job_on_done(void *arg, const kp_http_response *response);
static void job_on_chunk(void *arg, kp_http_op *op, const void *data, size_t size);

static void job_start_one(job_t *job)
{
    kp_http_request request = {.size = sizeof(request),
                               .call = job->is_stream ? NULL : job->call,
                               .method = "GET",
                               .url = job->url,
                               .on_chunk = job->is_stream ? job_on_chunk : NULL,
                               .on_done = job_on_done,
                               .arg = job};

    job->started++;
    if (job->http->request(job->http, job->call->instance, &request, NULL) != KP_OK) {
        abort();
    }
}

static void job_on_chunk(void *arg, kp_http_op *op, const void *data, size_t size)
{
    job_t *job = arg;

    (void)op;
    (void)data;
    (void)size;
    job->chunks++;
    if (job->chunks == job->wanted) {
        kp_complete(job->call, kp_return_null(job->call));
    }
}

static void job_on_done(void *arg, const kp_http_response *response)
{
    job_t *job = arg;

    if (job->is_stream) {
        return; /* the kernel is being freed */
    }
    if (response->http_status != 200) {
        fprintf(stderr, "the request failed: %s\n", response->error);
        exit(2);
    }
    job->ended++;
    if (job->started < job->wanted) {
        job_start_one(job);
    } else if (job->ended == job->wanted) {
        job->cpu_ns = thread_cpu_now() - job->cpu_ns;
        kp_complete(job->call, kp_return_null(job->call));
    }
}

KP_FUNCTION(async, request, "Sends many requests, some at a time.", (integer, job, "Address."))
{
    job_t *what = (job_t *)(uintptr_t)job;

    what->call = call;
    what->http = kp_extension(call->instance, KP_EXT_HTTP);
    if (what->http == NULL) {
        return kp_fail(call, KP_E_UNSUPPORTED, "there is no kernel.http/1");
    }
    what->cpu_ns = thread_cpu_now();
    for (size_t i = 0; i < what->wanted && (what->is_stream || i < IN_FLIGHT); i++) {
        job_start_one(what);
    }
    return KP_PENDING;
}

static void run_job(const kernel_function_t *function, job_t *job)
{
    kernel_args_t *args = kernel_args_new();
    kernel_result_t *result;

    kernel_args_set_integer(args, "job", (int64_t)(uintptr_t)job);
    result = kernel_invoke(function, args);
    if (kernel_result_status(result) != KERNEL_OK) {
        fprintf(stderr, "the call failed: %s\n", kernel_result_error(result));
        exit(2);
    }
    kernel_result_free(result);
    kernel_args_free(args);
}

/* Time of the loop thread for one request. */
static double request_cpu(const kernel_function_t *function, const char *url, size_t count)
{
    double values[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        job_t job = {.url = url, .wanted = count};

        run_job(function, &job);
        values[i] = job.cpu_ns / (double)count;
    }
    return bench_percentile(values, ROUNDS, 0.5);
}

/* ---- libcurl alone ---- */

static size_t drop(char *data, size_t unit, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return unit * count;
}

static double bare_round(const char *url, size_t count)
{
    CURLM *multi = curl_multi_init();
    CURL *handles[IN_FLIGHT];
    size_t started = IN_FLIGHT;
    size_t ended = 0;
    double begin = thread_cpu_now();

    for (size_t i = 0; i < IN_FLIGHT; i++) {
        handles[i] = curl_easy_init();
        curl_easy_setopt(handles[i], CURLOPT_URL, url);
        curl_easy_setopt(handles[i], CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, drop);
        curl_multi_add_handle(multi, handles[i]);
    }
    while (ended < count) {
        CURLMsg *message;
        int running = 0;
        int left = 0;

        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left)) != NULL) {
            CURL *handle = message->easy_handle;

            if (message->data.result != CURLE_OK) {
                fprintf(stderr, "libcurl alone failed\n");
                exit(2);
            }
            ended++;
            curl_multi_remove_handle(multi, handle);
            if (started < count) {
                started++;
                curl_multi_add_handle(multi, handle);
            }
        }
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    begin = thread_cpu_now() - begin;
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        curl_multi_remove_handle(multi, handles[i]);
        curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
    return begin / (double)count;
}

static double bare_cpu(const char *url, size_t count)
{
    double values[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        values[i] = bare_round(url, count);
    }
    return bench_percentile(values, ROUNDS, 0.5);
}

static double stream_kib(const kernel_function_t *function, const char *url)
{
    job_t job = {.url = url, .wanted = STREAMS, .is_stream = true};
    double before = bench_resident_kib();

    run_job(function, &job);
    return (bench_resident_kib() - before) / STREAMS;
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);
    server_t server = start_server();
    kernel_t *kernel = kernel_new(NULL, NULL);
    const kernel_function_t *function =
        kernel_add_function(kernel, "bench", &kpf_request, NULL, NULL);
    size_t count = bench_times(&bench, REQUESTS);

    bench_yardstick(&bench, "request by libcurl alone, 64 in flight, CPU",
                    bare_cpu(server.url, count), 15000);
    bench_figure(&bench, "request, 64 in flight, CPU", request_cpu(function, server.url, count),
                 BENCH_US, 25);
    bench_figure(&bench, "memory of a stream", stream_kib(function, server.stream_url), BENCH_KIB,
                 24);
    kernel_free(kernel);
    stop_server(&server);
    return bench_end(&bench);
}
