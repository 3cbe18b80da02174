/*
 * client.c - what all requests of one instance share, and the place where things
 * are done that must not be done inside libcurl.
 *
 *     http__client_new    no I/O; the loop thread introduces itself
 *     http__client_run    libcurl's due work, clocks, queue, operations, timer
 *     http__client_kick   run, on a later turn
 *     http__client_free   close the connections on the loop thread, wait for it
 */
#include "client.h"

#include <assert.h>
#include <time.h>

#include "alloc.h"
#include "operation.h"

#define CLIENT_ROUNDS 64 /* of work in one turn of the loop, so that others get theirs */

/* On the stack of the thread that frees the client. */
typedef struct client_farewell {
    http__client_t *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
} client_farewell_t;

static void client_on_hello(void *arg);
static void client_on_kick(void *arg);
static void client_on_timer(void *arg);
static void client_on_farewell(void *arg);

uint64_t http__now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

http__client_t *http__client_new(kp_instance *instance)
{
    http__client_t *client = sk_calloc(1, sizeof(*client));

    if (client == NULL) {
        return NULL;
    }
    client->instance = instance;
    client->loop = kp_extension(instance, KP_EXT_LOOP);
    client->poll = kp_extension(instance, KP_EXT_POLL);
    client->provider = kp_extension(instance, KP_EXT_PROVIDER);
    if (client->loop == NULL || client->poll == NULL || client->provider == NULL ||
        client->loop->post(client->loop, instance, client_on_hello, client) != KP_OK) {
        sk_free(client);
        return NULL;
    }
    (void)pthread_mutex_init(&client->intake, NULL);
    http__lookups_init(&client->lookups);
    client->last_due = &client->first_due;
    return client;
}

/* A request that starts on the loop thread gets its handle; so that thread must be known before. */
static void client_on_hello(void *arg)
{
    http__client_t *client = arg;

    client->loop_thread = pthread_self();
    atomic_store(&client->is_loop_known, true);
}

bool http__client_is_on_loop(const http__client_t *client)
{
    return atomic_load(&client->is_loop_known) &&
           pthread_equal(client->loop_thread, pthread_self()) != 0;
}

/* One round; is there more to do? */
static bool client_run_once(http__client_t *client)
{
    uint64_t now = http__now();
    http__deadline_t *deadline = NULL;
    http__lookup_t *lookup = NULL;

    if (client->engine != NULL) {
        http__engine_run(client->engine, now);
    }
    while ((deadline = http__deadlines_first(&client->deadlines)) != NULL && deadline->at <= now) {
        http__operation_on_deadline(deadline, now);
    }
    while ((lookup = http__lookups_next(&client->lookups, now)) != NULL) {
        http__operation_proceed(lookup);
    }
    while (client->first_due != NULL) {
        kp_http_op *op = client->first_due;

        client->first_due = op->next_due;
        if (client->first_due == NULL) {
            client->last_due = &client->first_due;
        }
        op->is_due = false;
        http__operation_on_due(op);
    }
    return client->lookups.is_changed ||
           (client->engine != NULL && http__engine_due_at(client->engine) <= now);
}

/* When has something to be done although nothing happens? */
static uint64_t client_next(const http__client_t *client)
{
    const http__deadline_t *deadline = http__deadlines_first(&client->deadlines);
    uint64_t at = deadline == NULL ? HTTP__NEVER : deadline->at;

    if (client->engine != NULL && http__engine_due_at(client->engine) < at) {
        at = http__engine_due_at(client->engine);
    }
    return at;
}

/*
 * A timer that fires too early does no harm, so one is replaced only by an
 * earlier one; and only after the new one was to be had, because an instance
 * that is being removed gets none, and what it had is gone. Without a timer
 * nobody would notice that time is up: better to end now. True: it did.
 */
static bool client_arm(http__client_t *client)
{
    uint64_t at = client_next(client);
    uint64_t now = http__now();
    kp_timer *timer = NULL;
    http__deadline_t *deadline = NULL;

    if (at == HTTP__NEVER || (client->timer != NULL && client->timer_at <= at)) {
        return false;
    }
    timer = client->loop->timer(client->loop, client->instance, at > now ? at - now : 0,
                                client_on_timer, client);
    if (timer != NULL) {
        client->loop->timer_stop(client->loop, client->timer);
        client->timer = timer;
        client->timer_at = at;
        return false;
    }
    while ((deadline = http__deadlines_first(&client->deadlines)) != NULL) {
        http__operation_on_no_timer(deadline);
    }
    return client->first_due != NULL;
}

void http__client_run(http__client_t *client)
{
    bool has_more = true;

    if (client->is_running || (client->engine != NULL && http__engine_is_busy(client->engine))) {
        return;
    }
    client->is_running = true;
    for (int round = 0; has_more && round < CLIENT_ROUNDS; round++) {
        has_more = client_run_once(client);
        if (!has_more) {
            has_more = client_arm(client);
        }
    }
    client->is_running = false;
    if (has_more) {
        http__client_kick(client);
    }
}

static void client_on_timer(void *arg)
{
    http__client_t *client = arg;

    client->timer = NULL;
    http__client_run(client);
}

void http__client_kick(http__client_t *client)
{
    if (client->is_kicked || client->is_running ||
        (client->engine != NULL && http__engine_is_busy(client->engine))) {
        return; /* it will run anyway */
    }
    client->is_kicked = true;
    if (client->loop->post(client->loop, client->instance, client_on_kick, client) != KP_OK) {
        client_on_kick(client); /* without memory rather now than never */
    }
}

static void client_on_kick(void *arg)
{
    http__client_t *client = arg;

    client->is_kicked = false;
    http__client_run(client);
}

void http__client_free(http__client_t *client)
{
    client_farewell_t farewell = {client, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER,
                                  false};

    if (client->loop->post(client->loop, client->instance, client_on_farewell, &farewell) !=
        KP_OK) {
        kp_log(client->instance, KP_LOG_ERROR,
               "cannot close the connections: the loop thread cannot be reached; they stay open");
        return;
    }
    (void)pthread_mutex_lock(&farewell.lock);
    while (!farewell.is_done) {
        (void)pthread_cond_wait(&farewell.changed, &farewell.lock);
    }
    (void)pthread_mutex_unlock(&farewell.lock);
    (void)pthread_cond_destroy(&farewell.changed);
    (void)pthread_mutex_destroy(&farewell.lock);
    (void)pthread_mutex_destroy(&client->intake);
    sk_free(client);
}

/* The timer is not stopped: the removal of the instance has dropped it. */
static void client_on_farewell(void *arg)
{
    client_farewell_t *farewell = arg;
    http__client_t *client = farewell->client;

    assert(client->first_due == NULL && !client->is_running);
    if (client->engine != NULL) {
        http__engine_free(client->engine);
    }
    http__deadlines_fini(&client->deadlines);
    http__lookups_fini(&client->lookups);

    (void)pthread_mutex_lock(&farewell->lock);
    farewell->is_done = true;
    (void)pthread_cond_signal(&farewell->changed); /* locked: it is on the other thread's stack */
    (void)pthread_mutex_unlock(&farewell->lock);
}
