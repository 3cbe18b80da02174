/*
 * threads.c - two types: "threads" without state, "counter" with.
 *
 * Both block until a test says go on, over a pipe that the test holds.
 */
#include <kernel/plugin.h>

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void tell(int64_t fd)
{
    while (fd >= 0 && write((int)fd, "", 1) < 0) {
    }
}

static void wait_for_byte(int64_t fd)
{
    char byte;

    while (fd >= 0 && read((int)fd, &byte, 1) < 0) {
    }
}

/* ---- threads ---- */

KP_FUNCTION(none, block, "Block until told, deaf to cancellation.",
            (integer, begun, "A pipe to write one byte to once it blocks; -1: none."),
            (integer, go, "A pipe to read one byte from."))
{
    tell(begun);
    wait_for_byte(go);
}

KP_FUNCTION(status, poll_cancelled, "Ask kp_cancelled() until it says yes.",
            (integer, begun, "A pipe to write one byte to at the first question; -1: none.",
             .dflt = "-1"))
{
    tell(begun);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    return KP_E_CANCELLED;
}

KP_FUNCTION(status, late_success, "Wait until cancelled, then succeed.",
            (integer, begun, "A pipe to write one byte to at the first question; -1: none.",
             .dflt = "-1"))
{
    tell(begun);
    while (!kp_cancelled(call)) {
        sched_yield();
    }
    return kp_return_string(call, "in spite of all");
}

static void on_cancel(kp_call *call, void *data)
{
    const int *fd = data;

    (void)call;
    tell(*fd);
}

KP_FUNCTION(status, wake, "Block in read(), woken by the cancel hook.",
            (integer, begun, "A pipe to write one byte to once it can be cancelled; -1: none.",
             .dflt = "-1"))
{
    int *ends = kp_alloc(call, 2 * sizeof(*ends));

    if (ends == NULL || pipe(ends) != 0) {
        return kp_fail(call, KP_E_NO_MEMORY, "cannot make a pipe");
    }
    if (kp_on_cancel(call, on_cancel, &ends[1]) == KP_OK) {
        tell(begun);
        wait_for_byte(ends[0]);
    }
    close(ends[0]);
    close(ends[1]);
    return KP_E_CANCELLED;
}

KP_FUNCTION_FLAGS(KP_F_QUICK, integer, quick, "Return the value, on whichever thread.",
                  (integer, value, "To be returned."))
{
    return value;
}

KP_FUNCTION(none, crash, "End this process the hard way.",
            (string, how, "By a bad pointer, abort() or _exit(3).", .dflt = "\"segv\"",
             .choices = KP_CHOICES("segv", "abort", "exit")))
{
    if (strcmp(how, "segv") == 0) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (strcmp(how, "abort") == 0) {
        abort();
    }
    _exit(3);
}

static const kp_plugin threads = {
    .size = sizeof(kp_plugin),
    .name = "threads",
    .version = "1.0.0",
    .description = "Functions that block.",
    .functions = KP_FUNCTIONS(block, poll_cancelled, late_success, wake, quick, crash),
};

/* ---- counter ---- */

typedef struct counter {
    int64_t sum; /* deliberately no atomic: the kernel orders plain calls */
    atomic_int inside;
    atomic_int most;            /* calls inside at a time, of those that take turns */
    atomic_int concurrent;      /* the same for the others */
    atomic_int concurrent_most; /* beside any other */
} counter_t;

static void note_most(atomic_int *most, int now)
{
    int before = atomic_load(most);

    while (now > before && !atomic_compare_exchange_weak(most, &before, now)) {
    }
}

static int create(kp_instance *instance)
{
    counter_t *counter = calloc(1, sizeof(*counter));

    if (counter == NULL) {
        return KP_E_NO_MEMORY;
    }
    counter->sum = instance->config[0].as.integer;
    instance->self = counter;
    return KP_OK;
}

/* The byte is written only if no call is inside. */
static void destroy(kp_instance *instance)
{
    counter_t *counter = instance->self;
    int64_t fd = instance->config[1].as.integer;

    if (atomic_load(&counter->inside) == 0) {
        tell(fd);
    }
    free(counter);
}

KP_FUNCTION(integer, add, "Add to the sum and return it; breaks if calls overlap.",
            (integer, amount, "How much."))
{
    counter_t *counter = call->self;
    int64_t sum = 0;

    note_most(&counter->most, atomic_fetch_add(&counter->inside, 1) + 1);
    sum = counter->sum;
    sched_yield(); /* an invitation to overlap */
    counter->sum = sum + amount;
    sum = counter->sum;
    atomic_fetch_sub(&counter->inside, 1);
    return sum;
}

KP_FUNCTION(none, hold, "Keep the instance busy until told.",
            (integer, begun, "A pipe to write one byte to once inside; -1: none."),
            (integer, go, "A pipe to read one byte from."))
{
    counter_t *counter = call->self;

    note_most(&counter->most, atomic_fetch_add(&counter->inside, 1) + 1);
    tell(begun);
    wait_for_byte(go);
    atomic_fetch_sub(&counter->inside, 1);
}

/* Touches atomics only, so that it may run beside the others. */
KP_FUNCTION_FLAGS(KP_F_CONCURRENT, none, hold_beside, "Be inside beside others until told.",
                  (integer, begun, "A pipe to write one byte to once inside; -1: none."),
                  (integer, go, "A pipe to read one byte from."))
{
    counter_t *counter = call->self;

    note_most(&counter->concurrent_most,
              atomic_fetch_add(&counter->concurrent, 1) + 1 + atomic_load(&counter->inside));
    tell(begun);
    wait_for_byte(go);
    atomic_fetch_sub(&counter->concurrent, 1);
}

KP_FUNCTION_FLAGS(KP_F_CONCURRENT, integer, most,
                  "Tell how many were inside at a time: 1 is right.")
{
    counter_t *counter = call->self;

    return atomic_load(&counter->most);
}

KP_FUNCTION_FLAGS(KP_F_CONCURRENT, integer, most_beside,
                  "Tell how many were inside while `hold_beside` was, itself included.")
{
    counter_t *counter = call->self;

    return atomic_load(&counter->concurrent_most);
}

static const kp_plugin counter = {
    .size = sizeof(kp_plugin),
    .name = "counter",
    .version = "1.0.0",
    .description = "State that must not be shared.",
    .functions = KP_FUNCTIONS(add, hold, hold_beside, most, most_beside),
    KP_CONFIG(
        (integer, start, "The sum to begin with.", .dflt = "0"),
        (integer, destroyed, "A pipe to write one byte to in destroy(); -1: none.", .dflt = "-1")),
    .create = create,
    .destroy = destroy,
};

KP_MODULE(&threads, &counter);
