/*
 * turn.c - one plain call per instance at a time.
 *
 * The cycle check walks from the turn that is wanted: who has it, what does that
 * call wait for (a turn, or its children that wait for one), and so on. Reaching
 * an ancestor of the call that wants it means that both would wait for ever. The
 * walk reads holders without their consent, which is sound because calls are
 * type-stable memory and a real cycle consists of calls that cannot move.
 */
#include "turn.h"

#include "call.h"
#include "clock.h"

#define TURN_WAITERS      ((uintptr_t)1)
#define TURN_SEARCH_DEPTH 128 /* twice the depth of nesting */

void kernel__turns_init(kernel__turns_t *turns)
{
    (void)pthread_mutex_init(&turns->lock, NULL);
}

void kernel__turns_fini(kernel__turns_t *turns)
{
    (void)pthread_mutex_destroy(&turns->lock);
}

void kernel__turn_init(kernel__turn_t *turn)
{
    atomic_init(&turn->holder, 0);
    turn->first = NULL;
    turn->last = &turn->first;
}

bool kernel__turn_try(kernel__turn_t *turn, kernel__call_t *call)
{
    uintptr_t nobody = 0;

    /* Released, too: whoever looks for cycles reads the record of the holder. */
    return atomic_compare_exchange_strong_explicit(&turn->holder, &nobody, (uintptr_t)call,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

static kernel__call_t *turn_holder(const kernel__turn_t *turn)
{
    uintptr_t holder = atomic_load_explicit(&turn->holder, memory_order_acquire);

    return (kernel__call_t *)(holder & ~TURN_WAITERS); /* NOLINT: a tagged pointer */
}

static bool call_is_ancestor(const kernel__call_t *ancestor, const kernel__call_t *call)
{
    for (; call != NULL; call = call->parent) {
        if (call == ancestor) {
            return true;
        }
    }
    return false;
}

/* Would `call`, waiting for `turn`, wait for itself? */
static bool turn_closes_cycle(const kernel__turn_t *turn, const kernel__call_t *call, int depth);

static bool call_waits_for(const kernel__call_t *waiting, const kernel__call_t *call, int depth)
{
    if (waiting->wait != NULL && turn_closes_cycle(waiting->wait->turn, call, depth)) {
        return true;
    }
    for (const kernel__call_t *child = waiting->children; child != NULL; child = child->sibling) {
        if (child != call && call_waits_for(child, call, depth)) {
            return true;
        }
    }
    return false;
}

static bool turn_closes_cycle(const kernel__turn_t *turn, const kernel__call_t *call, int depth)
{
    const kernel__call_t *holder = turn_holder(turn);

    if (holder == NULL || depth > TURN_SEARCH_DEPTH) {
        return false;
    }
    return call_is_ancestor(holder, call) || call_waits_for(holder, call, depth + 1);
}

/* With the lock held: take the turn, or mark that somebody waits. */
static bool turn_take_or_mark(kernel__turn_t *turn, kernel__call_t *call)
{
    uintptr_t holder = atomic_load_explicit(&turn->holder, memory_order_relaxed);

    for (;;) {
        uintptr_t wanted = holder == 0 ? (uintptr_t)call : holder | TURN_WAITERS;

        if (atomic_compare_exchange_weak_explicit(&turn->holder, &holder, wanted,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            return holder == 0;
        }
    }
}

static void turn_enqueue(kernel__turn_t *turn, kernel__call_t *call, kernel__turn_wait_t *wait)
{
    wait->next = NULL;
    wait->turn = turn;
    wait->call = call;
    wait->is_granted = false;
    wait->is_abandoned = false;
    *turn->last = wait;
    turn->last = &wait->next;
    call->wait = wait;
}

static void turn_dequeue(kernel__turn_wait_t *wait)
{
    kernel__turn_t *turn = wait->turn;
    kernel__turn_wait_t **at = &turn->first;

    while (*at != wait) {
        at = &(*at)->next;
    }
    *at = wait->next;
    if (turn->last == &wait->next) {
        turn->last = at;
    }
    wait->call->wait = NULL;
}

/* With the lock held: begin to wait. KERNEL_OK: look at wait->is_granted. */
static kernel_status_t turn_begin(kernel__turn_t *turn, kernel__call_t *call,
                                  kernel__turn_wait_t *wait)
{
    turn_enqueue(turn, call, wait);
    if (wait == turn->first && turn_take_or_mark(turn, call)) {
        turn_dequeue(wait);
        wait->is_granted = true;
        return KERNEL_OK;
    }
    if (turn_closes_cycle(turn, call, 0)) {
        turn_dequeue(wait);
        return KERNEL_E_WOULD_DEADLOCK;
    }
    if (atomic_load_explicit(&call->cancelled, memory_order_acquire) != 0) {
        turn_dequeue(wait);
        return KERNEL_E_CANCELLED;
    }
    return KERNEL_OK;
}

kernel_status_t kernel__turn_wait(kernel__turns_t *turns, kernel__turn_t *turn,
                                  kernel__call_t *call, uint64_t deadline)
{
    kernel__turn_wait_t wait = {0};
    pthread_cond_t condition;
    kernel_status_t status;

    kernel__condition_init(&condition);
    wait.condition = &condition;
    (void)pthread_mutex_lock(&turns->lock);
    status = turn_begin(turn, call, &wait);
    while (status == KERNEL_OK && !wait.is_granted) {
        if (wait.is_abandoned) {
            status = KERNEL_E_CANCELLED;
        } else if (!kernel__condition_wait(&condition, &turns->lock, deadline) &&
                   !wait.is_granted && !wait.is_abandoned) {
            turn_dequeue(&wait);
            status = KERNEL_E_TIMEOUT;
        }
    }
    (void)pthread_mutex_unlock(&turns->lock);
    (void)pthread_cond_destroy(&condition);
    return status;
}

kernel_status_t kernel__turn_queue(kernel__turns_t *turns, kernel__turn_t *turn,
                                   kernel__call_t *call, kernel__turn_wait_t *wait,
                                   void (*granted)(kernel__turn_wait_t *wait))
{
    kernel_status_t status;

    wait->condition = NULL;
    wait->granted = granted;
    (void)pthread_mutex_lock(&turns->lock);
    status = turn_begin(turn, call, wait);
    if (status == KERNEL_OK && wait->is_granted) {
        granted(wait);
    }
    (void)pthread_mutex_unlock(&turns->lock);
    return status;
}

bool kernel__turn_abandon(kernel__turns_t *turns, kernel__call_t *call)
{
    bool is_callers = false;

    (void)pthread_mutex_lock(&turns->lock);
    if (call->wait != NULL) {
        kernel__turn_wait_t *wait = call->wait;

        turn_dequeue(wait);
        wait->is_abandoned = true;
        is_callers = wait->condition == NULL;
        if (wait->condition != NULL) {
            (void)pthread_cond_signal(wait->condition);
        }
    }
    (void)pthread_mutex_unlock(&turns->lock);
    return is_callers;
}

static void turn_hand_over(kernel__turn_t *turn)
{
    kernel__turn_wait_t *wait = turn->first;

    if (wait == NULL) {
        atomic_store_explicit(&turn->holder, 0, memory_order_release);
        return;
    }
    turn_dequeue(wait);
    atomic_store_explicit(&turn->holder,
                          (uintptr_t)wait->call | (turn->first != NULL ? TURN_WAITERS : 0),
                          memory_order_release);
    wait->is_granted = true;
    if (wait->condition != NULL) {
        (void)pthread_cond_signal(wait->condition);
    } else {
        wait->granted(wait);
    }
}

void kernel__turn_give(kernel__turns_t *turns, kernel__turn_t *turn, kernel__call_t *call)
{
    uintptr_t holder = (uintptr_t)call;

    if (atomic_compare_exchange_strong_explicit(&turn->holder, &holder, 0, memory_order_release,
                                                memory_order_relaxed)) {
        return;
    }
    (void)pthread_mutex_lock(&turns->lock);
    turn_hand_over(turn);
    (void)pthread_mutex_unlock(&turns->lock);
}
