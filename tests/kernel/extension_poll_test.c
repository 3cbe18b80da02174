/* kernel.poll/1: descriptors watched on the loop thread. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/probe.h"

typedef struct watcher {
    const probe_t *probe;
    kp_watch *watch;
    int fd;
    uint32_t events; /* to watch for */
    atomic_uint seen;
    atomic_int count;
    atomic_int read_bytes;
    bool pauses; /* after the first event */
    bool unwatches;
    int change_status;
    latch_t called;
} watcher_t;

static void on_event(void *data, uint32_t events)
{
    watcher_t *watcher = data;
    const kp_poll *poll = watcher->probe->poll;
    char byte;

    watcher->seen |= events;
    watcher->count++;
    if ((events & KP_POLL_READABLE) != 0 && read(watcher->fd, &byte, 1) == 1) {
        watcher->read_bytes++;
    }
    if (watcher->pauses) {
        watcher->change_status = poll->change(poll, watcher->watch, 0);
    }
    if (watcher->unwatches) {
        poll->unwatch(poll, watcher->watch);
    }
    latch_open(&watcher->called);
}

static void watch(void *data)
{
    watcher_t *watcher = data;

    watcher->watch = watcher->probe->poll->watch(watcher->probe->poll, watcher->probe->instance,
                                                 watcher->fd, watcher->events, on_event, watcher);
}

static void unwatch(void *data)
{
    watcher_t *watcher = data;

    watcher->probe->poll->unwatch(watcher->probe->poll, watcher->watch);
}

static void watch_again(void *data)
{
    watcher_t *watcher = data;

    watcher->change_status =
        watcher->probe->poll->change(watcher->probe->poll, watcher->watch, watcher->events);
}

static void nothing(void *data)
{
    (void)data;
}

typedef struct scene {
    fixture_t f;
    probe_t probe;
    int pair[2];
    watcher_t watcher;
} scene_t;

static void scene_begin(scene_t *scene, uint32_t events)
{
    *scene = (scene_t){.f = fixture_new(), .probe = PROBE_INIT};
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, scene->pair), 0);
    probe_add(&scene->probe, &scene->f, "probe");
    scene->watcher = (watcher_t){
        .probe = &scene->probe, .fd = scene->pair[0], .events = events, .called = LATCH_INIT};
}

static void scene_end(scene_t *scene)
{
    probe_run(&scene->probe, unwatch, &scene->watcher);
    fixture_free(&scene->f);
    close(scene->pair[0]);
    close(scene->pair[1]);
}

static void readable_descriptor_is_reported_until_it_is_read(void)
{
    scene_t scene;

    scene_begin(&scene, KP_POLL_READABLE);
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK(scene.watcher.watch != NULL);
    CHECK_EQ(write(scene.pair[1], "abc", 3), 3);
    latch_wait(&scene.watcher.called);
    while (scene.watcher.count < 3) {
        probe_run(&scene.probe, nothing, NULL); /* let the loop turn */
    }
    probe_run(&scene.probe, nothing, NULL);
    CHECK_EQ(scene.watcher.read_bytes, 3);
    CHECK_EQ(scene.watcher.seen, KP_POLL_READABLE);
    scene_end(&scene);
}

static void writable_descriptor_is_reported(void)
{
    scene_t scene;

    scene_begin(&scene, KP_POLL_READABLE | KP_POLL_WRITABLE);
    scene.watcher.pauses = true;
    probe_run(&scene.probe, watch, &scene.watcher);
    latch_wait(&scene.watcher.called);
    probe_run(&scene.probe, nothing, NULL);
    CHECK_EQ(scene.watcher.seen, KP_POLL_WRITABLE);
    CHECK_EQ(scene.watcher.change_status, KP_OK);
    CHECK_EQ(scene.watcher.count, 1);
    scene_end(&scene);
}

static void paused_watch_is_silent_until_it_goes_on(void)
{
    scene_t scene;

    scene_begin(&scene, 0);
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK(scene.watcher.watch != NULL);
    CHECK_EQ(write(scene.pair[1], "a", 1), 1);
    for (int i = 0; i < 10; i++) {
        probe_run(&scene.probe, nothing, NULL);
    }
    CHECK_EQ(scene.watcher.count, 0);
    scene.watcher.events = KP_POLL_READABLE;
    probe_run(&scene.probe, watch_again, &scene.watcher);
    CHECK_EQ(scene.watcher.change_status, KP_OK);
    probe_run(&scene.probe, watch_again, &scene.watcher); /* the same again costs nothing */
    CHECK_EQ(scene.watcher.change_status, KP_OK);
    latch_wait(&scene.watcher.called);
    scene_end(&scene);
}

static void hang_up_is_reported(void)
{
    scene_t scene;

    scene_begin(&scene, KP_POLL_READABLE);
    scene.watcher.pauses = true;
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK_EQ(shutdown(scene.pair[1], SHUT_RDWR), 0);
    latch_wait(&scene.watcher.called);
    CHECK((scene.watcher.seen & (KP_POLL_READABLE | KP_POLL_ERROR)) != 0);
    scene_end(&scene);
}

/* The writing end of a pipe that nobody reads. */
static void error_stops_the_watch_and_change_starts_it_again(void)
{
    scene_t scene;
    int ends[2];
    int before;

    scene_begin(&scene, KP_POLL_WRITABLE);
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    scene.watcher.fd = ends[1];
    probe_run(&scene.probe, watch, &scene.watcher);
    latch_wait(&scene.watcher.called);
    probe_run(&scene.probe, nothing, NULL);
    CHECK_EQ(scene.watcher.seen, KP_POLL_ERROR);
    before = scene.watcher.count;
    for (int i = 0; i < 10; i++) {
        probe_run(&scene.probe, nothing, NULL);
    }
    CHECK_EQ(scene.watcher.count, before); /* it does not spin */
    probe_run(&scene.probe, watch_again, &scene.watcher);
    CHECK_EQ(scene.watcher.change_status, KP_OK);
    while (scene.watcher.count == before) {
        probe_run(&scene.probe, nothing, NULL);
    }
    scene_end(&scene);
    close(ends[1]);
}

static void watch_may_end_inside_its_own_callback(void)
{
    scene_t scene;

    scene_begin(&scene, KP_POLL_READABLE);
    scene.watcher.unwatches = true;
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK_EQ(write(scene.pair[1], "ab", 2), 2);
    latch_wait(&scene.watcher.called);
    for (int i = 0; i < 10; i++) {
        probe_run(&scene.probe, nothing, NULL);
    }
    CHECK_EQ(scene.watcher.count, 1);
    fixture_free(&scene.f);
    close(scene.pair[0]);
    close(scene.pair[1]);
}

static void what_cannot_be_watched_is_refused(void)
{
    scene_t scene;
    char path[] = "/tmp/semkernel-poll-XXXXXX";
    int file;

    scene_begin(&scene, KP_POLL_READABLE);
    scene.watcher.fd = -1;
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK(scene.watcher.watch == NULL);
    file = mkstemp(path);
    CHECK(file >= 0);
    scene.watcher.fd = file; /* a file has no events */
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK(scene.watcher.watch == NULL);
    watch(&scene.watcher); /* not the loop thread */
    CHECK(scene.watcher.watch == NULL);
    unlink(path);
    close(file);
    fixture_free(&scene.f);
    close(scene.pair[0]);
    close(scene.pair[1]);
}

static void watch_that_destroy_forgets_is_leaked_loudly(void)
{
    kernel_options_t options = fixture_options();
    scene_t scene = {.probe = PROBE_INIT};

    options.drain_ms = 20;
    scene.f = fixture_with_options(&options);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, scene.pair), 0);
    probe_add(&scene.probe, &scene.f, "probe");
    scene.watcher =
        (watcher_t){.probe = &scene.probe, .fd = scene.pair[0], .events = KP_POLL_READABLE};
    probe_run(&scene.probe, watch, &scene.watcher);
    CHECK_EQ(kernel_remove_plugin(scene.probe.plugin, NULL), KERNEL_E_BUSY);
    CHECK_EQ(fixture_log_count(&scene.f, "'probe' is leaked: 1 of its operations"), 1);
    fixture_leave(&scene.f);
}

TESTS(TEST(readable_descriptor_is_reported_until_it_is_read), TEST(writable_descriptor_is_reported),
      TEST(paused_watch_is_silent_until_it_goes_on), TEST(hang_up_is_reported),
      TEST(error_stops_the_watch_and_change_starts_it_again),
      TEST(watch_may_end_inside_its_own_callback), TEST(what_cannot_be_watched_is_refused),
      TEST(watch_that_destroy_forgets_is_leaked_loudly))
