/*
 * worker.c - from start to gone.
 *
 *   worker_start           a socket pair, a sandbox around its other end
 *   worker_on_readable     hello: learns its process id from the kernel, then ready
 *   worker_execute         code and two pipes go out under a fresh nonce
 *   worker_on_readable     result or error, then done
 *   worker_kill            or the worker's own end, or a violation
 *   worker_on_sandbox_gone after the last process: gone
 *
 * libuv's pipes drop the credentials of packets, so the socket is watched and
 * read here.
 */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <alloc.h>
#include <json.h>

#include "preimport.h"
#include "sandbox/freeze.h"
#include "sandbox/processes.h"

#define START_MS         10000
#define PACKETS_PER_TURN 64

#ifndef SO_PASSRIGHTS /* Linux 6.16; the number is the same on all machines we run on */
#define SO_PASSRIGHTS 83
#endif

typedef enum worker_state {
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_CLEARING, /* it is done; what its execution has left is being killed */
    WORKER_ENDING
} state_t;

struct worker {
    state_t state;
    const worker_events_t *events;
    void *data;
    const sandbox_plan_t *plan;
    const place_t *place; /* borrowed; outlives the worker */
    int64_t memory_kills; /* in its group, already told */
    sandbox_t *sandbox;   /* NULL once gone */
    int control;
    int process; /* pidfd of the worker; -1 before hello */
    pid_t pid;
    bool violated;
    int number; /* of the worker inside the sandbox */
    freeze_t freeze;
    bool rested; /* it was frozen already when worker_may_have_grown() was asked */
    bool was_ready;
    bool spoils_files;
    const char *reason; /* static text */
    uv_poll_t control_watch;
    uv_timer_t start_timer;
    int closing; /* handles still to close */
    frame_reader_t reader;
    sk_buffer_t order; /* the exec frame's payload while it is being sent */
    size_t sent;
    unsigned packets_sent;
    bool watches_room; /* until the socket takes the rest */
    int files[2];      /* go with the first packet */
    bool preimports;   /* was asked to */
    bool is_warm;
    char missing[256];
    char python[24];
    char diagnosis[1024];
};

static void worker_on_start_timer(uv_timer_t *timer);
static void worker_on_readable(uv_poll_t *handle, int status, int events);
static void worker_on_frozen(void *data);
static void worker_on_freeze_failed(void *data);
static void worker_on_sandbox_gone(sandbox_t *sandbox, void *data);

static const freeze_events_t freeze_events = {worker_on_frozen, worker_on_freeze_failed};

static void worker_enter(worker_t *worker, state_t state)
{
    worker->state = state;
}

/* ---- start ---- */

static int open_control(int ends[2])
{
    const int on = 1;
    const int off = 0;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return -1;
    }
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ||
        setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    /* Nobody is to send us descriptors: the last of a file can take its time to close. An older
     * kernel lets them come; there the filter keeps them from being made to wait. */
    (void)setsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
    return 0;
}

worker_t *worker_start(const sandbox_plan_t *plan, const place_t *place,
                       const worker_events_t *events, void *data, failure_t *failure)
{
    int ends[2] = {-1, -1};
    worker_t *worker = sk_calloc(1, sizeof(*worker));

    if (worker == NULL || open_control(ends) != 0) {
        (void)fail(failure, "cannot start a worker: %s",
                   worker == NULL ? "out of memory" : strerror(errno));
        sk_free(worker);
        return NULL;
    }
    worker->plan = plan;
    worker->place = place;
    worker->memory_kills = cgroup_memory_kills(&place->group);
    worker->events = events;
    worker->data = data;
    worker->process = -1;
    worker->control = ends[0];
    worker->sandbox = sandbox_spawn(plan, place, ends[1], worker_on_sandbox_gone, worker, failure);
    (void)close(ends[1]);
    if (worker->sandbox == NULL) {
        (void)close(ends[0]);
        sk_free(worker);
        return NULL;
    }
    worker->control_watch.data = worker;
    worker->start_timer.data = worker;
    worker->closing = 3;
    freeze_init(&worker->freeze, plan->loop, &freeze_events, worker);
    if (uv_timer_init(plan->loop, &worker->start_timer) != 0 ||
        uv_timer_start(&worker->start_timer, worker_on_start_timer, START_MS, 0) != 0 ||
        uv_poll_init(plan->loop, &worker->control_watch, worker->control) != 0 ||
        uv_poll_start(&worker->control_watch, UV_READABLE, worker_on_readable) != 0) {
        abort(); /* epoll refused a socket */
    }
    return worker;
}

static void worker_on_start_timer(uv_timer_t *timer)
{
    worker_kill(timer->data, "its Python did not start within 10 seconds");
}

/* ---- frames in ---- */

/* The first packet comes before any user code runs: its sender is the worker, for ever. */
static void worker_meet(worker_t *worker, pid_t sender)
{
    sk_json_span_t root;
    sk_json_span_t value;
    int64_t number = 0;
    size_t size = 0;

    if (sk_json_scan(worker->reader.payload.data, worker->reader.payload.size, NULL, &root, NULL) ==
            SK_JSON_OK &&
        sk_json_member(&root, "python", &value) && value.type == SK_JSON_STRING &&
        value.size < sizeof(worker->python)) {
        size = sk_json_string_decode(&value, worker->python);
        if (sk_json_member(&root, "pid", &value)) {
            (void)sk_json_integer(&value, &number);
        }
    }
    worker->process = (int)syscall(SYS_pidfd_open, sender, 0);
    worker->number = (int)number;
    if (size == 0 || number <= PROCESS_INIT || number > INT_MAX || worker->process < 0) {
        worker_kill(worker, "its first words were not understood");
        return;
    }
    worker->pid = sender;
    worker->reader.sender = sender;
    worker->was_ready = true;
    sandbox_hush(worker->sandbox);
    (void)uv_timer_stop(&worker->start_timer);
    worker_enter(worker, WORKER_IDLE);
    worker->events->on_ready(worker, worker->data);
}

/* Its execution is done: what becomes of whatever that has left? False: nothing else may happen
 * to it before worker_on_frozen(). */
static bool worker_rest(worker_t *worker)
{
    const config_t *config = worker->plan->config;
    const pid_t init = worker_init(worker);

    worker_enter(worker, WORKER_IDLE);
    switch ((background_t)config->background) {
    case BACKGROUND_RUN:
        break;
    case BACKGROUND_FREEZE:
        freeze_start(&worker->freeze, init, &worker->place->group, 0,
                     (uint64_t)config->freeze_after);
        break;
    case BACKGROUND_KILL:
        worker_enter(worker, WORKER_CLEARING);
        freeze_start(&worker->freeze, init, &worker->place->group, worker->number, 0);
        return false;
    }
    return true;
}

static void worker_on_frozen(void *data)
{
    worker_t *worker = data;

    if (worker->state == WORKER_CLEARING) {
        worker_enter(worker, WORKER_IDLE);
        worker->events->on_frame(worker, FRAME_DONE, "", 0, worker->data);
    }
}

static void worker_on_freeze_failed(void *data)
{
    worker_kill(data, "its processes could not be stopped between two executions");
}

bool worker_may_have_grown(worker_t *worker)
{
    const bool rested = worker->rested;

    worker->rested = freeze_is_frozen(&worker->freeze);
    return !rested || !worker->rested;
}

/* It says so before it runs user code, so it can be believed. */
static void worker_read_warm(worker_t *worker)
{
    sk_json_span_t root;
    sk_json_span_t all;
    sk_json_span_t list;
    sk_json_span_t name;
    size_t size = 0;

    if (sk_json_scan(worker->reader.payload.data, worker->reader.payload.size, NULL, &root, NULL) !=
            SK_JSON_OK ||
        !sk_json_member(&root, "all", &all) || !sk_json_member(&root, "missing", &list) ||
        list.type != SK_JSON_ARRAY) {
        worker_kill(worker, "its report on imports was not understood");
        return;
    }
    worker->is_warm = all.text[0] == 't';
    sk_json_cursor_t cursor = sk_json_enter(&list);
    while (sk_json_next(&cursor, NULL, &name)) {
        if (name.type == SK_JSON_STRING && name.size < sizeof(worker->missing) - size) {
            worker->missing[size++] = ' ';
            size += sk_json_string_decode(&name, worker->missing + size);
            worker->missing[size] = '\0';
        }
    }
    if (worker->preimports && worker->events->on_warm != NULL) {
        worker->events->on_warm(worker, worker->data);
    }
}

static void worker_take(worker_t *worker, const void *packet, size_t size, pid_t sender)
{
    switch (frame_read(&worker->reader, packet, size, sender)) {
    case FRAME_PARTIAL:
        return;
    case FRAME_VIOLATION:
        worker_violate(worker, worker->reader.violation);
        return;
    case FRAME_COMPLETE:
        break;
    }
    frame_type_t type = worker->reader.type;
    if (type == FRAME_HELLO) {
        worker_meet(worker, sender);
        return;
    }
    if (type == FRAME_WARM) {
        worker_read_warm(worker);
        return;
    }
    const char *payload = sk_buffer_text(&worker->reader.payload);
    size_t total = worker->reader.payload.size;
    if (type == FRAME_DONE) {
        frame_reader_close(&worker->reader);
        payload = "";
        if (!worker_rest(worker)) {
            return;
        }
    }
    worker->events->on_frame(worker, type, payload, total, worker->data);
}

/* One packet into a buffer of the caller's; its size, 0 at the end, -1 if there is none. */
static ssize_t worker_receive(const worker_t *worker, void *packet, size_t size, pid_t *sender_out)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(16 * sizeof(int))];
    } control;
    struct iovec part = {packet, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};

    ssize_t got = recvmsg(worker->control, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC);
    *sender_out = -1;
    if (got < 0) {
        return -1;
    }
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at != NULL; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (at->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(at), sizeof(credentials));
            *sender_out = credentials.pid;
        } else if (at->cmsg_type == SCM_RIGHTS) { /* nobody asked for descriptors */
            for (size_t i = 0; i < (at->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
                int file;
                memcpy(&file, CMSG_DATA(at) + i * sizeof(int), sizeof(file));
                (void)close(file);
            }
        }
    }
    return got;
}

static void worker_send(worker_t *worker);

static void worker_on_readable(uv_poll_t *handle, int status, int events)
{
    static char packet[FRAME_PACKET_MAX + 1]; /* one thread: one buffer for all workers */
    worker_t *worker = handle->data;

    if ((events & UV_WRITABLE) != 0) {
        worker_send(worker);
    }
    for (int i = 0; i < PACKETS_PER_TURN && worker->state != WORKER_ENDING; i++) {
        pid_t sender = 0;
        ssize_t size = worker_receive(worker, packet, sizeof(packet), &sender);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (size <= 0) { /* its last descriptor is closed: the worker is gone or will be */
            worker_kill(worker, NULL);
            return;
        }
        worker_take(worker, packet, (size_t)size, sender);
    }
    if (status < 0) {
        worker_kill(worker, NULL);
    }
}

/* ---- frames out ---- */

/* Send packets of the order until all are out or the socket is full. */
static void worker_send(worker_t *worker)
{
    const size_t room = FRAME_PACKET_MAX - FRAME_HEADER_SIZE;

    while (worker->order.size > 0) {
        unsigned char header[FRAME_HEADER_SIZE];
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control;
        size_t size = worker->order.size - worker->sent;
        size = size > room ? room : size;
        struct iovec parts[] = {{header, sizeof(header)},
                                {worker->order.data + worker->sent, size}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

        frame_write_header(header, FRAME_EXEC, worker->packets_sent, (uint32_t)worker->order.size,
                           worker->reader.nonce);
        if (worker->packets_sent == 0) {
            memset(&control, 0, sizeof(control));
            message.msg_control = control.bytes;
            message.msg_controllen = sizeof(control.bytes);
            struct cmsghdr *files = CMSG_FIRSTHDR(&message);
            files->cmsg_level = SOL_SOCKET;
            files->cmsg_type = SCM_RIGHTS;
            files->cmsg_len = CMSG_LEN(2 * sizeof(int));
            memcpy(CMSG_DATA(files), worker->files, 2 * sizeof(int));
        }
        if (sendmsg(worker->control, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                sk_buffer_fini(&worker->order);
                worker_kill(worker, NULL);
            }
            break;
        }
        worker->packets_sent++;
        worker->sent += size;
        if (worker->sent == worker->order.size) {
            sk_buffer_fini(&worker->order);
        }
    }
    bool rest = worker->order.size > 0;
    if (worker->state != WORKER_ENDING && rest != worker->watches_room) {
        worker->watches_room = rest;
        (void)uv_poll_start(&worker->control_watch, UV_READABLE | (rest ? UV_WRITABLE : 0),
                            worker_on_readable);
    }
}

/* Opened anew, so that no other worker shares the read position. */
static int open_fonts(const sandbox_plan_t *plan)
{
    char path[32];

    if (plan->fonts_name[0] == '\0') {
        return -1;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", plan->fonts_file);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void worker_warm(worker_t *worker, bool preimport)
{
    static const unsigned char no_nonce[FRAME_NONCE_SIZE];
    const sandbox_plan_t *plan = worker->plan;
    const int fonts = open_fonts(plan);
    unsigned char header[FRAME_HEADER_SIZE];
    sk_buffer_t payload = SK_BUFFER_INIT;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;

    sk_buffer_append_text(&payload, "{\"modules\":[");
    if (preimport) {
        preimport_write(plan->config, &payload);
    }
    sk_buffer_append_text(&payload, "],\"fonts\":");
    sk_json_write_text(&payload, plan->fonts_name);
    sk_buffer_append_char(&payload, '}');
    struct iovec parts[] = {{header, sizeof(header)}, {payload.data, payload.size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fonts >= 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *files = CMSG_FIRSTHDR(&message);
        files->cmsg_level = SOL_SOCKET;
        files->cmsg_type = SCM_RIGHTS;
        files->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(files), &fonts, sizeof(int));
    }
    frame_write_header(header, FRAME_WARM, 0, (uint32_t)payload.size, no_nonce);
    worker->reader.warming = true;
    worker->preimports = preimport;
    if (payload.failed || sendmsg(worker->control, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        worker->reader.warming = false; /* it works without, only slower; if it is dead we hear */
    }
    if (fonts >= 0) {
        (void)close(fonts);
    }
    sk_buffer_fini(&payload);
}

bool worker_is_warm(const worker_t *worker)
{
    return worker->is_warm;
}

const char *worker_missing(const worker_t *worker)
{
    return worker->missing;
}

bool worker_is_idle(const worker_t *worker)
{
    return worker->state == WORKER_IDLE;
}

bool worker_execute(worker_t *worker, const worker_order_t *order)
{
    unsigned char nonce[FRAME_NONCE_SIZE];

    sk_buffer_clear(&worker->order);
    sk_buffer_append_text(&worker->order, "{\"code\":");
    sk_json_write_string(&worker->order, order->code, order->size);
    sk_buffer_append_text(&worker->order, order->as_repr ? ",\"repr\":true" : ",\"repr\":false");
    sk_buffer_append_text(&worker->order, order->apart ? ",\"apart\":true}" : ",\"apart\":false}");
    if (worker->order.failed || getrandom(nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
        worker_kill(worker, "no memory for an execution");
        return false;
    }
    worker->sent = 0;
    worker->packets_sent = 0;
    worker->files[0] = order->output;
    worker->files[1] = order->errors;
    frame_reader_open(&worker->reader, nonce);
    worker->rested = false;
    freeze_thaw(&worker->freeze);
    worker_enter(worker, WORKER_BUSY);
    worker_send(worker);
    if (worker->packets_sent == 0) { /* an empty socket takes a first packet, or it is dead */
        worker_kill(worker, NULL);
    }
    return worker->state == WORKER_BUSY;
}

void worker_interrupt(worker_t *worker)
{
    struct pollfd process = {worker->process, POLLIN, 0};

    /* The whole group: a worker that waits for os.system() ignores SIGINT, its child does not.
     * Its number is not yet another's while the worker is not reaped. */
    if (worker->process >= 0 && poll(&process, 1, 0) == 0) {
        (void)kill(-worker->pid, SIGINT);
    }
}

bool worker_lost_memory(worker_t *worker)
{
    const int64_t before = worker->memory_kills;

    worker->memory_kills = cgroup_memory_kills(&worker->place->group);
    return worker->memory_kills > before;
}

/* ---- the end ---- */

void worker_kill(worker_t *worker, const char *reason)
{
    if (worker->state == WORKER_ENDING) {
        return;
    }
    worker->reason = reason;
    worker_enter(worker, WORKER_ENDING);
    (void)uv_poll_stop(&worker->control_watch);
    (void)uv_timer_stop(&worker->start_timer);
    if (worker->sandbox != NULL) {
        sandbox_kill(worker->sandbox);
    }
    freeze_stop(&worker->freeze);
}

void worker_violate(worker_t *worker, const char *reason)
{
    worker->violated = worker->violated || worker->state != WORKER_ENDING;
    worker_kill(worker, reason);
}

bool worker_has_violated(const worker_t *worker)
{
    return worker->violated;
}

void worker_kill_with_files(worker_t *worker, const char *reason)
{
    worker->spoils_files = true;
    worker_kill(worker, reason);
}

bool worker_leaves_files(const worker_t *worker)
{
    return !worker->spoils_files;
}

static void worker_on_close(uv_handle_t *handle)
{
    worker_t *worker = handle->data;

    if (--worker->closing > 0) {
        return;
    }
    worker->events->on_gone(worker, worker->data);
    (void)close(worker->control);
    if (worker->process >= 0) {
        (void)close(worker->process);
    }
    frame_reader_fini(&worker->reader);
    sk_buffer_fini(&worker->order);
    sk_free(worker);
}

static void worker_on_sandbox_gone(sandbox_t *sandbox, void *data)
{
    worker_t *worker = data;

    (void)memcpy(worker->diagnosis, sandbox_diagnosis(sandbox),
                 strlen(sandbox_diagnosis(sandbox)) + 1);
    worker->sandbox = NULL;
    worker_kill(worker, NULL);
    if (worker->reason == NULL && worker_lost_memory(worker)) {
        worker->reason = worker->plan->memory_reason;
    }
    uv_close((uv_handle_t *)&worker->control_watch, worker_on_close);
    uv_close((uv_handle_t *)&worker->start_timer, worker_on_close);
    freeze_close(&worker->freeze, worker_on_close, worker);
}

const char *worker_python(const worker_t *worker)
{
    return worker->python;
}

bool worker_is_frozen(const worker_t *worker)
{
    return freeze_is_frozen(&worker->freeze);
}

const place_t *worker_place(const worker_t *worker)
{
    return worker->place;
}

pid_t worker_init(const worker_t *worker)
{
    return worker->sandbox == NULL ? 0 : sandbox_init(worker->sandbox);
}

const char *worker_reason(const worker_t *worker)
{
    return worker->reason;
}

const char *worker_diagnosis(const worker_t *worker)
{
    return worker->diagnosis;
}

bool worker_was_ready(const worker_t *worker)
{
    return worker->was_ready;
}
