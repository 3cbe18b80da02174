/*
 * download.c - a file's bytes, read a block ahead of the connection.
 *
 *   download_run       opened, and known to be a regular file
 *   download_on_give   the connection takes what was read; pauses when there is none
 *   download_read      the next block, in the thread pool
 *   download_on_drop   the answer is through, or its client has gone
 */
#include <string.h>
#include <unistd.h>

#include <alloc.h>

#include "file_calls.h"
#include "file_job.h"
#include "files.h"
#include "reply.h"

#define BLOCK_SIZE (256 * 1024)

typedef struct download {
    file_job_t job; /* first: they share an address */
    filename_t filename;
    struct stat status;
    int file;
    bool ended; /* shorter than it was when it was opened, or not readable */
    char *block;
    size_t filled;
    size_t taken;
} download_t;

static void download_free(file_job_t *job)
{
    download_t *download = (download_t *)job;

    if (download->file >= 0) {
        (void)close(download->file);
    }
    sk_free(download->block);
    sk_free(download);
}

static void download_run(file_job_t *job)
{
    download_t *download = (download_t *)job;

    job->error = files_open(job->root, &download->filename, &download->file, &download->status);
}

static void download_read(file_job_t *job)
{
    download_t *download = (download_t *)job;
    ssize_t got = read(download->file, download->block, BLOCK_SIZE);

    download->filled = got > 0 ? (size_t)got : 0;
    download->taken = 0;
    download->ended = got <= 0;
}

static void download_on_read(file_job_t *job)
{
    request_resume(job->call->request);
}

static long download_on_give(char *bytes, size_t most, void *data)
{
    download_t *download = data;
    size_t size = download->filled - download->taken;

    if (size == 0 && !download->ended) {
        download->job.run = download_read;
        download->job.done = download_on_read;
        file_job_continue(&download->job);
        return 0;
    }
    size = size > most ? most : size;
    memcpy(bytes, download->block + download->taken, size);
    download->taken += size;
    return size == 0 ? -1 : (long)size;
}

static void download_on_drop(void *data)
{
    download_free(data);
}

static void download_done(file_job_t *job)
{
    download_t *download = (download_t *)job;
    const body_source_t source = {download_on_give, download_on_drop, download};
    sk_buffer_t nothing = SK_BUFFER_INIT;

    if (job->error != 0) {
        file_job_refuse(job, &download->filename);
        download_free(job);
    } else if (download->status.st_size == 0) {
        request_answer_take(job->call->request, 200, TYPE_BYTES, &nothing);
        download_free(job);
    } else {
        request_answer_source(job->call->request, 200, TYPE_BYTES,
                              (uint64_t)download->status.st_size, &source);
    }
}

void download_get(call_t *call)
{
    download_t *download = sk_calloc(1, sizeof(*download));
    char *block = sk_malloc(BLOCK_SIZE);

    if (download == NULL || block == NULL) {
        sk_free(download);
        sk_free(block);
        refuse_out_of_memory(call);
        return;
    }
    download->block = block;
    download->file = -1;
    download->job.call = call;
    download->job.run = download_run;
    download->job.done = download_done;
    download->job.fail = download_free;
    if (file_job_check(call, filename_read_directory(&download->filename,
                                                     request_query(call->request, "path"))) &&
        file_job_check(call, filename_read_file(&download->filename, call->name, call->name_size,
                                                FILENAME_READ))) {
        file_job_start(&download->job);
    } else {
        download_free(&download->job);
    }
}
