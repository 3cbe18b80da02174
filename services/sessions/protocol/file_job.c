/*
 * file_job.c - sessions are found on the loop, files never touched there.
 */
#include "file_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reply.h"

static void file_job_on_seat(seat_waiter_t *waiter, session_t *session);

static void file_job_on_work(uv_work_t *work)
{
    file_job_t *job = work->data;

    job->run(job);
}

static void file_job_on_done(uv_work_t *work, int status)
{
    file_job_t *job = work->data;
    pool_t *pool = job->call->protocol->pool;

    (void)status; /* none is cancelled */
    if (job->root >= 0) {
        (void)close(job->root);
        job->root = -1;
    }
    job->done(job);
    pool_let_go(pool);
}

void file_job_continue(file_job_t *job)
{
    job->work.data = job;
    job->error = 0;
    pool_hold(job->call->protocol->pool);
    (void)uv_queue_work(job->call->protocol->plan->loop, &job->work, file_job_on_work,
                        file_job_on_done);
}

static void file_job_give_up(file_job_t *job, const char *why)
{
    if (pool_is_closing(job->call->protocol->pool)) {
        why = "the session pool is shutting down";
    }
    refuse(job->call, 503, "SessionNotStarted", NULL, why);
    job->fail(job);
}

/* The directory is a mount of ours, so opening it waits for nothing. */
static void file_job_enter(file_job_t *job, const place_t *place)
{
    job->uid = place->uid;
    job->gid = place->gid;
    job->root = open(place->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->root < 0) {
        file_job_give_up(job, strerror(errno));
    } else {
        file_job_continue(job);
    }
}

static void file_job_on_seat(seat_waiter_t *waiter, session_t *session)
{
    file_job_t *job = (file_job_t *)((char *)waiter - offsetof(file_job_t, waiter));

    if (session == NULL) {
        file_job_give_up(job, "the session has ended before it began");
    } else {
        file_job_enter(job, session_place(session));
    }
}

void file_job_start(file_job_t *job)
{
    call_t *call = job->call;
    pool_t *pool = call->protocol->pool;

    job->root = -1;
    job->waiter.on_seat = file_job_on_seat;
    if (pool_is_closing(pool)) {
        file_job_give_up(job, "");
        return;
    }
    call->new_session = session_find(pool, call->identifier) == NULL;
    session_t *session = session_open(pool, call->identifier);
    if (session != NULL) {
        request_note_session(call->request, session_guid(session));
    }
    if (session == NULL) {
        refuse_session(call);
        job->fail(job);
        return;
    }
    session_touch(session);
    const place_t *place = session_seat_for(session, &job->waiter);
    if (place != NULL) {
        file_job_enter(job, place);
    } else if (session_find(pool, call->identifier) == NULL) {
        file_job_give_up(job, "no worker could be started for the session");
    }
}

void file_job_refuse(const file_job_t *job, const filename_t *filename)
{
    char message[FILENAME_PATH_MAX + 80];
    const char *path = filename->size == 0 ? "." : filename->path;

    switch (job->error) {
    case ENOENT:
        (void)snprintf(message, sizeof(message), "The file '%s' was not found.", path);
        refuse(job->call, 404, "FileNotFound", NULL, message);
        break;
    case EISDIR:
    case ENOTEMPTY:
    case EEXIST:
    case ENAMETOOLONG:
        (void)snprintf(message, sizeof(message), "The file '%s' cannot be: %s.", path,
                       strerror(job->error));
        refuse(job->call, 400, "FileNameInvalid", NULL, message);
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        (void)snprintf(message, sizeof(message), "The session has no space left for the file '%s'.",
                       path);
        refuse(job->call, 507, "InsufficientStorage", NULL, message);
        break;
    default:
        (void)snprintf(message, sizeof(message), "The file '%s' cannot be reached: %s.", path,
                       strerror(job->error));
        refuse(job->call, 503, "FileNotReached", NULL, message);
    }
}

bool file_job_check(const call_t *call, filename_fault_t fault)
{
    switch (fault) {
    case FILENAME_OK:
        return true;
    case FILENAME_WRONG_DIRECTORY:
        refuse(call, 400, "FilePathInvalid", "path",
               "The file path cannot contain any reserved file path characters: it is relative to "
               "/mnt/data or below it, without dots, backslashes and control characters.");
        break;
    case FILENAME_WRONG_FILE:
        refuse(call, 400, "FileNameInvalid", "filename",
               "The file name must have 1 to 255 bytes, letters, digits, blanks and "
               "-_.@$&=;,#%^() among them, and must not be . or ..");
        break;
    }
    return false;
}
