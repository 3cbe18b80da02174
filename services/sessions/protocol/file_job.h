/*
 * file_job.h - one access to a session's files: the session on the loop, the work
 * in the thread pool, the answer on the loop again.
 */
#ifndef SESSIONS_FILE_JOB_PRIVATE_H
#define SESSIONS_FILE_JOB_PRIVATE_H

#include <uv.h>

#include "call.h"
#include "filename.h"

typedef struct file_job file_job_t;

/* Embedded, as the first member, in what the operation needs. */
struct file_job {
    uv_work_t work;
    seat_waiter_t waiter;
    call_t *call;
    uid_t uid; /* of the session's files */
    gid_t gid;
    int root;  /* the session's directory, open in `run` of a job that was started */
    int error; /* what `run` found; 0 or an errno */
    void (*run)(file_job_t *job);  /* in the thread pool */
    void (*done)(file_job_t *job); /* on the loop */
    void (*fail)(file_job_t *job); /* instead: there is no session, the request is refused */
};

/* Open the call's session and do the work in its directory. The request must be paused, or its body
 * at its end, and is answered by `done`. */
void file_job_start(file_job_t *job);
/* Work on with what the job has opened. */
void file_job_continue(file_job_t *job);

/* Answer for what an operation on this file has met. */
void file_job_refuse(const file_job_t *job, const filename_t *filename);
/* False, and refused: the name is none that may be. */
bool file_job_check(const call_t *call, filename_fault_t fault);

#endif /* SESSIONS_FILE_JOB_PRIVATE_H */
