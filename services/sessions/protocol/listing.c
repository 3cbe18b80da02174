/*
 * listing.c - the files of a directory, a page at a time in family B.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <alloc.h>
#include <json.h>

#include "file_calls.h"
#include "file_job.h"
#include "file_text.h"
#include "files.h"
#include "reply.h"

#define PAGE_SIZE 1000

typedef struct listing {
    file_job_t job; /* first: they share an address */
    filename_t directory;
    bool recursive;
    size_t skip;
    file_list_t list;
} listing_t;

static void listing_free(file_job_t *job)
{
    file_list_fini(&((listing_t *)job)->list);
    sk_free(job);
}

static void listing_run(file_job_t *job)
{
    listing_t *listing = (listing_t *)job;

    job->error = files_list(job->root, &listing->directory, listing->recursive, &listing->list);
}

/* Family A lists files alone, and all of them. */
static void write_numbered(sk_buffer_t *body, const listing_t *listing)
{
    const char *separator = "";
    int number = 2;

    sk_buffer_append_text(body, "{\"$id\":\"1\",\"value\":[");
    for (size_t i = 0; i < listing->list.count; i++) {
        if (!listing->list.entries[i].is_directory) {
            sk_buffer_append_text(body, separator);
            separator = ",";
            file_text_write(body, FAMILY_A, &listing->list.entries[i], &number);
        }
    }
    sk_buffer_append_text(body, "]}");
}

static void write_page(sk_buffer_t *body, const listing_t *listing)
{
    const size_t count = listing->list.count;
    const size_t start = listing->skip < count ? listing->skip : count;
    const size_t end = count - start > PAGE_SIZE ? start + PAGE_SIZE : count;
    sk_buffer_t link = SK_BUFFER_INIT;

    sk_buffer_append_text(body, "{\"value\":[");
    for (size_t i = start; i < end; i++) {
        if (i > start) {
            sk_buffer_append_char(body, ',');
        }
        file_text_write(body, FAMILY_B, &listing->list.entries[i], NULL);
    }
    sk_buffer_append_char(body, ']');
    if (end < count) {
        reply_write_link(&link, listing->job.call, "files");
        if (listing->directory.size > 0) {
            sk_buffer_append_text(&link, "&path=");
            reply_write_encoded(&link, listing->directory.path);
        }
        sk_buffer_appendf(&link, "%s&skip=%zu", listing->recursive ? "&recursive=true" : "", end);
        sk_buffer_append_text(body, ",\"nextLink\":");
        sk_json_write_text(body, sk_buffer_text(&link));
        sk_buffer_fini(&link);
    }
    sk_buffer_append_char(body, '}');
}

static void listing_done(file_job_t *job)
{
    listing_t *listing = (listing_t *)job;
    sk_buffer_t body = SK_BUFFER_INIT;

    if (job->error != 0) {
        file_job_refuse(job, &listing->directory);
    } else {
        if (job->call->version->family == FAMILY_A) {
            write_numbered(&body, listing);
        } else {
            write_page(&body, listing);
        }
        request_answer_take(job->call->request, 200, TYPE_JSON, &body);
    }
    listing_free(job);
}

static bool read_recursive(const call_t *call, bool *recursive)
{
    const char *value = request_query(call->request, "recursive");

    if (!call->version->newest || value == NULL || *value == '\0' ||
        strcasecmp(value, "false") == 0) {
        return true;
    }
    *recursive = strcasecmp(value, "true") == 0;
    if (!*recursive) {
        refuse_value(call, "recursive", "recursive must be true or false");
    }
    return *recursive;
}

void listing_get(call_t *call)
{
    listing_t *listing = sk_calloc(1, sizeof(*listing));

    if (listing == NULL) {
        refuse_out_of_memory(call);
        return;
    }
    listing->job.call = call;
    listing->job.run = listing_run;
    listing->job.done = listing_done;
    listing->job.fail = listing_free;
    if (file_job_check(call, filename_read_directory(&listing->directory,
                                                     request_query(call->request, "path"))) &&
        read_recursive(call, &listing->recursive) && reply_read_skip(call, &listing->skip)) {
        file_job_start(&listing->job);
    } else {
        listing_free(&listing->job);
    }
}
