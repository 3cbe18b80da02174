/*
 * sessions_module.c - service "sessions": starts and watches the local session
 * pool, one program semkernel-sessiond per kernel.
 *
 *     module_open         any thread: hold the caller, go to the loop thread
 *     opening_on_posted   READY: answer; else wait, and start the program if it does not run
 *     pool_start
 *     pool_on_output      its line came: READY, all that wait are answered
 *     pool_on_deadline    it did not come in time
 *     pool_on_exit        it has ended: IDLE; the next opening starts another one
 *     opening_on_stop     a caller does not want to wait any more
 *     module_destroy      ask it to end and wait until it has
 *
 * The program's standard input is its lifeline: it ends when this process does,
 * however that ends. A call whose pool dies hears of it through its own
 * connection. After three quick failures in a row openings are refused for a
 * while, growing to half a minute, so that a program that cannot run is not
 * started for ever.
 */
#include <kernel/service.h>

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include <alloc.h>
#include <buffer.h>

#include "announcement.h"

#define PROGRAM           "semkernel-sessiond"
#define EXIT_NO_SANDBOX   78
#define ANNOUNCEMENT_MAX  65536
#define QUICK_MS          10000 /* an end before that counts as a failure to start */
#define FAILURES_FREE     3
#define BACK_OFF_FIRST_MS 1000
#define BACK_OFF_MAX_MS   30000
#define GRACE_MS          2500 /* from asking the program to end to killing it */

enum { CONFIG_PROGRAM, CONFIG_START_TIMEOUT }; /* in the order of KP_CONFIG */

typedef enum pool_state {
    POOL_IDLE,     /* there is no program */
    POOL_STARTING, /* it has not said where it listens */
    POOL_READY,
    POOL_ENDING /* it was told to end */
} pool_state_t;

typedef struct opening opening_t;

typedef struct module {
    kp_sessions table; /* first: by it the functions find the module */
    kp_instance *instance;
    const kp_loop *loop;
    const kp_provider *provider;
    const kp_process_table *programs;
    const char *program;
    uint64_t start_timeout_ms;
    char **environment; /* owned, its texts too */

    pthread_mutex_t intake; /* held while an opening is admitted: it may run before that is done */
    pthread_cond_t closed;
    bool is_closed;      /* guarded by intake */
    atomic_bool is_used; /* there was an opening */

    /* the loop thread's */
    pool_state_t state;
    kp_process *process;
    kp_timer *deadline;
    uint64_t started_at;
    announcement_t announcement;
    sk_buffer_t line; /* of stdout, until it is whole */
    sk_buffer_t tail; /* of stderr */
    opening_t *first; /* those that wait, in the order of asking */
    opening_t **last;
    unsigned failures; /* quick ones in a row */
    uint64_t failed_at;
    int failure_status;
    sk_buffer_t failure; /* the last one, in words */
    bool is_closing;
} module_t;

struct opening {
    module_t *module;
    opening_t *next;
    kp_hold *hold;
    kp_session_pool_fn fn;
    void *arg;
    bool is_refused; /* it could not be held; guarded by the module's intake */
    bool is_waiting; /* in the module's list */
    int stop_status; /* KP_OK, or why it is to end, told before it began */
};

static void opening_on_posted(void *arg);
static void opening_on_stop(void *arg, int status);
static void opening_answer(opening_t *opening, int status, const char *error);
static void pool_start(module_t *module);
static void pool_on_output(void *arg, kp_process *process, uint32_t stream, const void *data,
                           size_t size);
static void pool_on_deadline(void *arg);
static void pool_on_exit(void *arg, kp_process *process, const kp_process_exit *end);
static void pool_fail(module_t *module, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- openings ---- */

static int module_open(const kp_sessions *table, kp_instance *user, kp_call *call,
                       kp_session_pool_fn fn, void *arg)
{
    module_t *module = (module_t *)(uintptr_t)table;
    opening_t *opening = sk_calloc(1, sizeof(*opening));
    int status = KP_OK;

    if (opening == NULL) {
        return KP_E_NO_MEMORY;
    }
    opening->module = module;
    opening->fn = fn;
    opening->arg = arg;
    atomic_store_explicit(&module->is_used, true, memory_order_release);

    /* Posted first: a hold could not be given back on this thread if posting failed. */
    (void)pthread_mutex_lock(&module->intake);
    status = module->loop->post(module->loop, module->instance, opening_on_posted, opening);
    if (status != KP_OK) {
        sk_free(opening);
    } else {
        status = module->provider->hold(module->provider, module->instance, user, call,
                                        opening_on_stop, opening, &opening->hold);
        opening->is_refused = status != KP_OK;
    }
    (void)pthread_mutex_unlock(&module->intake);
    return status;
}

static void opening_on_posted(void *arg)
{
    opening_t *opening = arg;
    module_t *module = opening->module;
    bool is_refused = false;

    (void)pthread_mutex_lock(&module->intake);
    is_refused = opening->is_refused;
    (void)pthread_mutex_unlock(&module->intake);
    if (is_refused) {
        sk_free(opening);
        return;
    }
    if (opening->stop_status != KP_OK) {
        opening_answer(opening, opening->stop_status, "nobody waits for the session pool any more");
        return;
    }
    if (module->is_closing) {
        opening_answer(opening, KP_E_UNAVAILABLE, "the local session pool is being closed");
        return;
    }
    if (module->state == POOL_READY) {
        opening_answer(opening, KP_OK, NULL);
        return;
    }
    opening->is_waiting = true;
    *module->last = opening;
    module->last = &opening->next;
    if (module->state == POOL_IDLE) {
        pool_start(module);
    }
}

static void opening_on_stop(void *arg, int status)
{
    opening_t *opening = arg;
    opening_t **at = &opening->module->first;

    if (!opening->is_waiting) {
        opening->stop_status = status;
        return;
    }
    while (*at != opening) {
        at = &(*at)->next;
    }
    *at = opening->next;
    if (opening->next == NULL) {
        opening->module->last = at;
    }
    opening_answer(opening, status,
                   status == KP_E_TIMEOUT
                       ? "the deadline passed while the local session pool was starting"
                       : "cancelled while the local session pool was starting");
}

static void opening_answer(opening_t *opening, int status, const char *error)
{
    module_t *module = opening->module;
    kp_session_pool pool;

    memset(&pool, 0, sizeof(pool));
    pool.size = (uint32_t)sizeof(pool);
    pool.endpoint = module->announcement.endpoint;
    pool.unix_socket = module->announcement.socket;
    pool.level = module->announcement.level;
    opening->fn(opening->arg, status, status == KP_OK ? &pool : NULL, error);
    module->provider->release(module->provider, opening->hold); /* keeps the caller until here */
    sk_free(opening);
}

/* Answer all that wait, once; who asks meanwhile waits anew. */
static void module_answer_all(module_t *module, int status, const char *error)
{
    opening_t *opening = module->first;

    module->first = NULL;
    module->last = &module->first;
    while (opening != NULL) {
        opening_t *next = opening->next;

        opening_answer(opening, status, error);
        opening = next;
    }
}

/* ---- the program ---- */

static uint64_t back_off_ms(unsigned failures)
{
    uint64_t wait_ms = BACK_OFF_FIRST_MS;

    if (failures < FAILURES_FREE) {
        return 0;
    }
    for (unsigned i = FAILURES_FREE; i < failures && wait_ms < BACK_OFF_MAX_MS; i++) {
        wait_ms *= 2;
    }
    return wait_ms < BACK_OFF_MAX_MS ? wait_ms : BACK_OFF_MAX_MS;
}

/* If it cannot be started all that wait are told why. */
static void pool_start(module_t *module)
{
    const char *const argv[] = {module->program, "--lifeline=0", NULL};
    kp_process_options options;
    char error[512] = "";
    uint64_t passed_ms = now_ms() - module->failed_at;
    uint64_t wait_ms = back_off_ms(module->failures);
    int status = KP_OK;

    if (wait_ms > passed_ms) {
        sk_buffer_t text = SK_BUFFER_INIT;

        sk_buffer_appendf(&text, "%s (failed %u times in a row, next attempt in %" PRIu64 " s)",
                          sk_buffer_text(&module->failure), module->failures,
                          (wait_ms - passed_ms + 999) / 1000);
        module_answer_all(module, module->failure_status, sk_buffer_text(&text));
        sk_buffer_fini(&text);
        return;
    }
    module->started_at = now_ms();
    memset(&options, 0, sizeof(options));
    options.size = (uint32_t)sizeof(options);
    options.flags = KP_PROCESS_LIFELINE;
    options.argv = argv;
    options.envp = (const char *const *)module->environment;
    options.on_output = pool_on_output;
    options.on_exit = pool_on_exit;
    options.arg = module;
    status = module->programs->start(module->programs, module->instance, &options, &module->process,
                                     error, sizeof(error));
    if (status != KP_OK) {
        pool_fail(module, status,
                  "there is no local session pool: %s; install %s beside the library or in "
                  "PATH, set SEMKERNEL_SESSIOND to its path, or name a managed pool in "
                  "ACA_POOL_MANAGEMENT_ENDPOINT",
                  error[0] != '\0' ? error : "its program cannot be run", PROGRAM);
        return;
    }
    module->state = POOL_STARTING;
    module->deadline = module->loop->timer(module->loop, module->instance, module->start_timeout_ms,
                                           pool_on_deadline, module);
    if (module->deadline == NULL) {
        module->state = POOL_ENDING;
        module->programs->stop(module->programs, module->process, 0);
        pool_fail(module, KP_E_NO_MEMORY,
                  "cannot start the local session pool: no timer is to be had");
    }
}

static void pool_stop_deadline(module_t *module)
{
    if (module->deadline != NULL) {
        module->loop->timer_stop(module->loop, module->deadline);
        module->deadline = NULL;
    }
}

/* Give up the start that is under way, and tell all that wait. */
static void pool_fail(module_t *module, int status, const char *format, ...)
{
    va_list arguments;

    sk_buffer_clear(&module->failure);
    va_start(arguments, format);
    sk_buffer_vappendf(&module->failure, format, arguments);
    va_end(arguments);
    module->failures++;
    module->failed_at = now_ms();
    module->failure_status = status;
    kp_log(module->instance, KP_LOG_ERROR, "%.900s", sk_buffer_text(&module->failure));
    module_answer_all(module, status, sk_buffer_text(&module->failure));
}

static void pool_on_line(module_t *module, size_t size)
{
    char error[256];

    pool_stop_deadline(module);
    if (!announcement_read(&module->announcement, module->line.data, size, error, sizeof(error))) {
        module->state = POOL_ENDING;
        module->programs->stop(module->programs, module->process, 0);
        pool_fail(module, KP_E_UNAVAILABLE,
                  "cannot use %s as the local session pool: %s; is it another program, or of "
                  "another version?",
                  module->program, error);
        return;
    }
    module->state = POOL_READY;
    kp_log(module->instance, KP_LOG_INFO,
           "the local session pool is ready: process %" PRId64 ", level %s, after %" PRIu64 " ms",
           module->programs->pid(module->programs, module->process), module->announcement.level,
           now_ms() - module->started_at);
    module_answer_all(module, KP_OK, NULL);
}

static void pool_on_output(void *arg, kp_process *process, uint32_t stream, const void *data,
                           size_t size)
{
    module_t *module = arg;
    const char *end = NULL;

    (void)process;
    if (stream == 2) {
        complaint_append(&module->tail, data, size);
        return;
    }
    if (module->state != POOL_STARTING) {
        return;
    }
    sk_buffer_append(&module->line, data, size);
    if (module->line.size > 0) {
        end = memchr(module->line.data, '\n', module->line.size);
    }
    if (end != NULL) {
        pool_on_line(module, (size_t)(end - module->line.data));
    } else if (module->line.size > ANNOUNCEMENT_MAX || module->line.failed) {
        pool_on_line(module, module->line.size);
    }
}

static void pool_on_deadline(void *arg)
{
    module_t *module = arg;
    sk_buffer_t complaint = SK_BUFFER_INIT;

    module->deadline = NULL;
    module->state = POOL_ENDING;
    module->programs->stop(module->programs, module->process, 0);
    complaint_write(&complaint, &module->tail);
    pool_fail(module, KP_E_TIMEOUT,
              "the local session pool (%s) was not ready within %" PRIu64 " ms%s%s",
              module->program, module->start_timeout_ms, complaint.size > 0 ? ": " : "",
              sk_buffer_text(&complaint));
    sk_buffer_fini(&complaint);
}

/* It ended before it was ready. */
static void pool_on_failed_start(module_t *module, const kp_process_exit *end)
{
    sk_buffer_t complaint = SK_BUFFER_INIT;

    complaint_write(&complaint, &module->tail);
    if (complaint.size > 0) {
        pool_fail(module, end->exit_code == EXIT_NO_SANDBOX ? KP_E_UNSUPPORTED : KP_E_UNAVAILABLE,
                  "cannot start the local session pool: %s", complaint.data);
    } else if (end->signal != 0) {
        pool_fail(module, KP_E_UNAVAILABLE,
                  "cannot start the local session pool: signal %" PRId32 " ended %s before it was "
                  "ready",
                  end->signal, module->program);
    } else {
        pool_fail(module, KP_E_UNAVAILABLE,
                  "cannot start the local session pool: %s ended with exit status %" PRId32
                  " and said nothing",
                  module->program, end->exit_code);
    }
    sk_buffer_fini(&complaint);
}

/* It ended although nobody asked it to. */
static void pool_on_death(module_t *module, const kp_process_exit *end)
{
    uint64_t lived_ms = now_ms() - module->started_at;
    sk_buffer_t complaint = SK_BUFFER_INIT;

    complaint_write(&complaint, &module->tail);
    sk_buffer_clear(&module->failure);
    sk_buffer_appendf(&module->failure,
                      "the local session pool ended by itself, with exit status %" PRId32
                      ", signal %" PRId32 "%s%s",
                      end->exit_code, end->signal, complaint.size > 0 ? ": " : "",
                      sk_buffer_text(&complaint));
    sk_buffer_fini(&complaint);
    kp_log(module->instance, KP_LOG_WARN, "%.900s, after %" PRIu64 " ms",
           sk_buffer_text(&module->failure), lived_ms);
    module->failures = lived_ms < QUICK_MS ? module->failures + 1 : 0;
    module->failed_at = now_ms();
    module->failure_status = KP_E_UNAVAILABLE;
}

/* A program that was killed could not take its socket, the files beside it, and its own directory
 * away. */
static void pool_remove_remains(const module_t *module)
{
    static const char own[] = "/semkernel-sessions-";
    static const char *const endings[] = {".json", ".token", ""};
    char path[PATH_MAX];
    char *slash = NULL;

    if (module->announcement.socket == NULL ||
        strlen(module->announcement.socket) + sizeof(".token") > sizeof(path)) {
        return;
    }
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", module->announcement.socket, endings[i]);
        (void)unlink(path);
    }
    slash = strrchr(path, '/');
    *slash = '\0';
    slash = strrchr(path, '/');
    if (slash != NULL && strncmp(slash, own, strlen(own)) == 0) {
        (void)rmdir(path);
    }
}

static void module_finish_closing(module_t *module)
{
    (void)pthread_mutex_lock(&module->intake);
    module->is_closed = true;
    (void)pthread_cond_signal(&module->closed);
    (void)pthread_mutex_unlock(&module->intake);
}

static void pool_on_exit(void *arg, kp_process *process, const kp_process_exit *end)
{
    module_t *module = arg;
    pool_state_t before = module->state;

    (void)process;
    pool_stop_deadline(module);
    module->process = NULL;
    module->state = POOL_IDLE;
    if (end->signal != 0) {
        pool_remove_remains(module);
    }
    announcement_fini(&module->announcement);
    sk_buffer_clear(&module->line);
    if (before == POOL_STARTING) {
        pool_on_failed_start(module, end);
    } else if (before == POOL_READY) {
        pool_on_death(module, end);
    }
    sk_buffer_clear(&module->tail);
    if (module->is_closing) {
        module_answer_all(module, KP_E_UNAVAILABLE, "the local session pool is being closed");
        module_finish_closing(module);
    } else if (module->first != NULL) {
        pool_start(module); /* somebody asked while the last one was ending */
    }
}

/* ---- the instance ---- */

/* What the program needs of this process's environment. The rest stays here: the host's keys and
 * tokens are nobody else's. */
static bool is_passed_on(const char *variable)
{
    static const char *const wanted[] = {
        "PATH=",
        "HOME=",
        "LANG=",
        "LC_",
        "TZ=",
        "TMPDIR=",
        "XDG_RUNTIME_DIR=",
        "SEMKERNEL_SESSIOND_",
        "ASAN_OPTIONS=",
        "LSAN_OPTIONS=",
        "TSAN_OPTIONS=",
        "UBSAN_OPTIONS=",
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strncmp(variable, wanted[i], strlen(wanted[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void module_free(module_t *module)
{
    for (char **at = module->environment; at != NULL && *at != NULL; at++) {
        sk_free(*at);
    }
    sk_free(module->environment);
    announcement_fini(&module->announcement);
    sk_buffer_fini(&module->line);
    sk_buffer_fini(&module->tail);
    sk_buffer_fini(&module->failure);
    (void)pthread_cond_destroy(&module->closed);
    (void)pthread_mutex_destroy(&module->intake);
    sk_free(module);
}

static bool module_copy_environment(module_t *module)
{
    size_t count = 0;

    for (char **at = environ; at != NULL && *at != NULL; at++) {
        count += is_passed_on(*at) ? 1 : 0;
    }
    module->environment = sk_calloc(count + 1, sizeof(*module->environment));
    if (module->environment == NULL) {
        return false;
    }
    count = 0;
    for (char **at = environ; at != NULL && *at != NULL; at++) {
        if (is_passed_on(*at)) {
            module->environment[count] = sk_strdup(*at);
            if (module->environment[count] == NULL) {
                return false;
            }
            count++;
        }
    }
    return true;
}

static int module_create(kp_instance *instance)
{
    module_t *module = sk_calloc(1, sizeof(*module));
    const kp_value *program = &instance->config[CONFIG_PROGRAM];

    if (module == NULL) {
        return KP_E_NO_MEMORY;
    }
    module->table.size = (uint32_t)sizeof(module->table);
    module->table.open = module_open;
    module->instance = instance;
    module->last = &module->first;
    module->program = program->as.text.len > 0 ? program->as.text.ptr : PROGRAM;
    module->start_timeout_ms = (uint64_t)instance->config[CONFIG_START_TIMEOUT].as.integer;
    (void)pthread_mutex_init(&module->intake, NULL);
    (void)pthread_cond_init(&module->closed, NULL);
    module->loop = kp_extension(instance, KP_EXT_LOOP);
    module->provider = kp_extension(instance, KP_EXT_PROVIDER);
    module->programs = kp_extension(instance, KP_EXT_PROCESS);
    if (!module_copy_environment(module)) {
        module_free(module);
        return KP_E_NO_MEMORY;
    }
    if (module->loop == NULL || module->provider == NULL || module->programs == NULL) {
        kp_log(instance, KP_LOG_ERROR, "this kernel cannot start programs");
        module_free(module);
        return KP_E_UNSUPPORTED;
    }
    instance->self = module;
    return KP_OK;
}

/* On the loop thread: end the program; its exit is the end of all. */
static void module_on_close(void *arg)
{
    module_t *module = arg;

    module->is_closing = true;
    if (module->process != NULL) {
        pool_stop_deadline(module);
        module->state = POOL_ENDING;
        module->programs->stop(module->programs, module->process, GRACE_MS);
    } else {
        module_finish_closing(module);
    }
}

static void module_destroy(kp_instance *instance)
{
    module_t *module = instance->self;

    if (atomic_load_explicit(&module->is_used, memory_order_acquire)) {
        if (module->loop->post(module->loop, instance, module_on_close, module) != KP_OK) {
            kp_log(instance, KP_LOG_ERROR,
                   "cannot end the local session pool: memory ran out; it "
                   "ends with this process");
            return; /* and with the memory of this instance, which its process may still use */
        }
        (void)pthread_mutex_lock(&module->intake);
        while (!module->is_closed) {
            (void)pthread_cond_wait(&module->closed, &module->intake);
        }
        (void)pthread_mutex_unlock(&module->intake);
    }
    module_free(module);
}

static const void *module_extension(kp_instance *instance, const char *id)
{
    module_t *module = instance->self;

    return strcmp(id, KP_EXT_SESSIONS) == 0 ? &module->table : NULL;
}

/* clang-format off */
KP_PLUGIN_EX(.name = "sessions", .version = "1.0.0",
             .description = "The local pool of code interpreter sessions.",
             KP_CONFIG((string, program,
                        "The pool program, a path or a name; none: the one installed with the "
                        "library.",
                        .dflt = "\"\"", .env = "SEMKERNEL_SESSIOND"),
                       (integer, start_timeout_ms, "How long the program may take to be ready.",
                        .dflt = "10000", .schema = "{\"minimum\":1,\"maximum\":600000}")),
             .create = module_create, .destroy = module_destroy, .extension = module_extension);
/* clang-format on */
