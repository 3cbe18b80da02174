/*
 * upload.c - a file from a multipart body, written while the body comes.
 *
 *   upload_open        the head: content type, directory
 *   upload_on_part     bytes of the body: the parser hands on those of the file
 *   upload_turn        enough of them, or the end: the next job
 *   upload_run         in the thread pool: opened at first, written, named at last
 *   upload_done        more of the body, or the answer
 *   upload_on_drop     the request is over; what has no name is taken away
 *
 * While a job runs the request is paused, so what is kept here stays small.
 */
#include <string.h>

#include <alloc.h>

#include "base/guid.h"
#include "file_calls.h"
#include "file_job.h"
#include "file_text.h"
#include "files.h"
#include "multipart.h"
#include "reply.h"

#define BLOCK_SIZE      (1024 * 1024)
#define UPLOAD_SIZE_MAX (128u * 1024 * 1024)

typedef struct upload {
    file_job_t job; /* first: they share an address */
    multipart_t multipart;
    filename_t filename; /* the directory, and once its part has begun the file */
    filename_fault_t name_fault;
    bool named;
    uint64_t size;
    sk_buffer_t waiting; /* to be written */
    sk_buffer_t writing; /* the job's */
    file_put_t put;
    struct stat status;
    char guid[GUID_SIZE]; /* of the session that it is for; "" before the first job */
    bool busy;            /* a job is under way */
    bool ended;           /* the body */
    bool last;            /* the job gives the file its name */
    bool answered;
} upload_t;

static void upload_turn(upload_t *upload);

static upload_t *upload_of(request_t *request)
{
    return request_data(request);
}

/* ---- the body ---- */

static void upload_on_bytes(const char *bytes, size_t size, void *data)
{
    upload_t *upload = data;

    if (!upload->named) {
        upload->named = true;
        upload->name_fault =
            filename_read_file(&upload->filename, sk_buffer_text(&upload->multipart.filename),
                               upload->multipart.filename.size, FILENAME_WRITE);
    }
    upload->size += size;
    if (upload->size <= UPLOAD_SIZE_MAX && upload->name_fault == FILENAME_OK) {
        sk_buffer_append(&upload->waiting, bytes, size);
    }
}

static void upload_on_part(request_t *request, const char *bytes, size_t size)
{
    upload_t *upload = upload_of(request);

    (void)multipart_read(&upload->multipart, bytes, size);
    upload_turn(upload);
}

static void upload_on_end(request_t *request)
{
    upload_t *upload = upload_of(request);

    upload->ended = true;
    if (multipart_end(&upload->multipart)) {
        upload_on_bytes("", 0, upload); /* an empty file has a name, too */
    }
    upload_turn(upload);
}

/* True if the request was refused: the rest of its body is read and dropped. */
static bool upload_refuse(upload_t *upload)
{
    const call_t *call = upload->job.call;

    if (upload->multipart.state == MULTIPART_WRONG) {
        refuse_value(call, "file", upload->multipart.fault);
    } else if (upload->named && !file_job_check(call, upload->name_fault)) {
        ; /* and so it is refused */
    } else if (upload->size > UPLOAD_SIZE_MAX) {
        refuse(call, 413, "FileTooLarge", "file", "a file must be at most 128 MiB long");
    } else if (upload->waiting.failed) {
        refuse_out_of_memory(call);
    } else {
        return false;
    }
    return true;
}

/* ---- the jobs ---- */

static void upload_run(file_job_t *job)
{
    upload_t *upload = (upload_t *)job;

    if (upload->put.file < 0) {
        job->error = file_put_begin(&upload->put, job->root, &upload->filename, job->uid, job->gid);
    }
    if (job->error == 0) {
        job->error =
            file_put_write(&upload->put, sk_buffer_text(&upload->writing), upload->writing.size);
    }
    if (job->error == 0 && upload->last) {
        job->error = file_put_commit(&upload->put, &upload->filename, &upload->status);
    }
}

static void upload_answer(upload_t *upload)
{
    const call_t *call = upload->job.call;
    sk_buffer_t body = SK_BUFFER_INIT;
    int number = 2;

    if (call->version->family == FAMILY_A) {
        sk_buffer_append_text(&body, "{\"$id\":\"1\",\"value\":[");
        file_text_write_opened(&body, FAMILY_A, &upload->filename, &upload->status, &number);
        sk_buffer_append_text(&body, "]}");
    } else {
        file_text_write_opened(&body, FAMILY_B, &upload->filename, &upload->status, &number);
    }
    request_answer_take(call->request, 200, TYPE_JSON, &body);
}

/* Its session is still the one in which it began. */
static bool upload_has_session(upload_t *upload)
{
    const call_t *call = upload->job.call;
    session_t *session = session_find(call->protocol->pool, call->identifier);

    if (session == NULL) {
        return false;
    }
    session_touch(session);
    if (upload->guid[0] == '\0') {
        memcpy(upload->guid, session_guid(session), sizeof(upload->guid));
    }
    return strcmp(upload->guid, session_guid(session)) == 0;
}

static void upload_done(file_job_t *job)
{
    upload_t *upload = (upload_t *)job;

    upload->busy = false;
    sk_buffer_clear(&upload->writing);
    if (job->error != 0) {
        upload->answered = true;
        file_job_refuse(job, &upload->filename);
    } else if (!upload_has_session(upload)) {
        upload->answered = true;
        refuse(job->call, 404, "NoSessionFoundError", NULL,
               "the session was removed while the file came");
    } else if (upload->last) {
        upload->answered = true;
        upload_answer(upload);
    } else {
        upload_turn(upload);
        if (!upload->busy && !upload->answered) {
            request_resume(job->call->request);
        }
    }
}

static void upload_fail(file_job_t *job)
{
    upload_t *upload = (upload_t *)job;

    upload->busy = false;
    upload->answered = true;
}

/* Begin the next job if there is one to begin. */
static void upload_turn(upload_t *upload)
{
    if (upload->busy || upload->answered) {
        return;
    }
    upload->answered = upload_refuse(upload);
    if (upload->answered || (upload->waiting.size < BLOCK_SIZE && !upload->ended)) {
        return;
    }
    sk_buffer_t empty = upload->writing;
    upload->writing = upload->waiting;
    upload->waiting = empty;
    upload->last = upload->ended;
    upload->busy = true;
    if (upload->put.file < 0) {
        file_job_start(&upload->job);
    } else {
        file_job_continue(&upload->job);
    }
    if (upload->busy) { /* else it was refused already */
        request_pause(upload->job.call->request);
    }
}

/* ---- the end ---- */

static void upload_on_work_clear(uv_work_t *work)
{
    file_put_fini(&((upload_t *)work->data)->put);
}

static void upload_free(upload_t *upload)
{
    multipart_fini(&upload->multipart);
    sk_buffer_fini(&upload->waiting);
    sk_buffer_fini(&upload->writing);
    sk_free(upload);
}

static void upload_on_cleared(uv_work_t *work, int status)
{
    (void)status;
    upload_free(work->data);
}

static void upload_on_drop(request_t *request)
{
    upload_t *upload = upload_of(request);

    if (upload->put.directory < 0) {
        upload_free(upload);
        return;
    }
    upload->job.work.data = upload; /* the request is gone when this is done */
    (void)uv_queue_work(upload->job.call->protocol->plan->loop, &upload->job.work,
                        upload_on_work_clear, upload_on_cleared);
}

/* ---- the head ---- */

void upload_open(call_t *call)
{
    static const body_sink_t sink = {upload_on_part, upload_on_end, upload_on_drop};
    static const file_put_t nothing = FILE_PUT_INIT;
    upload_t *upload = sk_calloc(1, sizeof(*upload));

    if (upload == NULL) {
        refuse_out_of_memory(call);
        return;
    }
    upload->put = nothing;
    upload->job.call = call;
    upload->job.run = upload_run;
    upload->job.done = upload_done;
    upload->job.fail = upload_fail;
    if (!multipart_init(&upload->multipart, request_header(call->request, "Content-Type"),
                        upload_on_bytes, upload)) {
        refuse_value(call, "Content-Type",
                     "a file comes as multipart/form-data, and the content type names a boundary");
        upload_free(upload);
    } else if (!file_job_check(call,
                               filename_read_directory(&upload->filename,
                                                       request_query(call->request, "path")))) {
        upload_free(upload);
    } else {
        request_set_data(call->request, upload, NULL);
        request_stream_body(call->request, &sink);
    }
}
