/*
 * watch.c - adding up proportional set sizes.
 *
 * A sandbox has its own process numbers and its own /proc, which shows exactly
 * its processes, daemons included. It is read through the root of its init.
 */
#include "watch.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_MS 100

/* "Pss:   123 kB" of one process; 0 if it is gone. */
static int64_t measure_process(int proc, const char *number)
{
    char path[64];
    char text[1024];

    (void)snprintf(path, sizeof(path), "%.20s/smaps_rollup", number);
    int file = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    ssize_t size = read(file, text, sizeof(text) - 1);
    (void)close(file);
    text[size > 0 ? size : 0] = '\0';
    const char *line = strstr(text, "\nPss:");
    return line == NULL ? 0 : strtoll(line + 5, NULL, 10) * 1024;
}

/* Bytes of all processes that the /proc of this init's sandbox shows; 0 if it is gone. */
static int64_t measure_sandbox(pid_t init)
{
    char path[64];
    int64_t sum = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/root/proc", (int)init);
    DIR *processes = opendir(path);
    if (processes == NULL) {
        return 0;
    }
    const struct dirent *entry = NULL;
    while ((entry = readdir(processes)) != NULL) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            sum += measure_process(dirfd(processes), entry->d_name);
        }
    }
    (void)closedir(processes);
    return sum;
}

static void watch_visit(worker_t *worker, pid_t init, void *data)
{
    watch_t *watch = data;

    if (measure_sandbox(init) > watch->limit) {
        worker_kill(worker, watch->reason);
    }
}

static void watch_on_timer(uv_timer_t *timer)
{
    watch_t *watch = timer->data;

    pool_visit(watch->pool, watch_visit, watch);
}

void watch_start(watch_t *watch, uv_loop_t *loop, pool_t *pool, int64_t limit)
{
    watch->pool = pool;
    watch->limit = limit;
    (void)snprintf(watch->reason, sizeof(watch->reason), "it used more than %lld MiB of memory",
                   (long long)(limit / (1024 * 1024)));
    (void)uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    (void)uv_timer_start(&watch->timer, watch_on_timer, INTERVAL_MS, INTERVAL_MS);
}

void watch_stop(watch_t *watch)
{
    uv_close((uv_handle_t *)&watch->timer, NULL);
}
