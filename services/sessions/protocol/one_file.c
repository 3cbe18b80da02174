/*
 * one_file.c - what a file is, and the end of it.
 */
#include <unistd.h>

#include <alloc.h>

#include "file_calls.h"
#include "file_job.h"
#include "file_text.h"
#include "files.h"
#include "reply.h"

typedef struct one_file {
    file_job_t job; /* first: they share an address */
    filename_t filename;
    struct stat status;
} one_file_t;

static void one_file_free(file_job_t *job)
{
    sk_free(job);
}

static void one_file_start(call_t *call, void (*run)(file_job_t *job),
                           void (*done)(file_job_t *job))
{
    one_file_t *one = sk_calloc(1, sizeof(*one));

    if (one == NULL) {
        refuse_out_of_memory(call);
        return;
    }
    one->job.call = call;
    one->job.run = run;
    one->job.done = done;
    one->job.fail = one_file_free;
    if (file_job_check(
            call, filename_read_directory(&one->filename, request_query(call->request, "path"))) &&
        file_job_check(
            call, filename_read_file(&one->filename, call->name, call->name_size, FILENAME_READ))) {
        file_job_start(&one->job);
    } else {
        sk_free(one);
    }
}

static void describe_run(file_job_t *job)
{
    one_file_t *one = (one_file_t *)job;
    int file = -1;

    job->error = files_open(job->root, &one->filename, &file, &one->status);
    if (file >= 0) {
        (void)close(file);
    }
}

static void describe_done(file_job_t *job)
{
    one_file_t *one = (one_file_t *)job;
    sk_buffer_t body = SK_BUFFER_INIT;
    int number = 1;

    if (job->error != 0) {
        file_job_refuse(job, &one->filename);
    } else {
        file_text_write_opened(&body, job->call->version->family, &one->filename, &one->status,
                               &number);
        request_answer_take(job->call->request, 200, TYPE_JSON, &body);
    }
    sk_free(one);
}

void one_file_describe(call_t *call)
{
    one_file_start(call, describe_run, describe_done);
}

static void remove_run(file_job_t *job)
{
    job->error = files_remove(job->root, &((one_file_t *)job)->filename);
}

static void remove_done(file_job_t *job)
{
    one_file_t *one = (one_file_t *)job;

    if (job->error != 0) {
        file_job_refuse(job, &one->filename);
    } else {
        request_answer_take(job->call->request, 204, NULL, NULL);
    }
    sk_free(one);
}

void one_file_remove(call_t *call)
{
    one_file_start(call, remove_run, remove_done);
}
