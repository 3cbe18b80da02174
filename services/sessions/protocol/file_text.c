/*
 * file_text.c - names, types, sizes, times.
 */
#include "file_text.h"

#include <string.h>
#include <strings.h>

#include <json.h>

#include "reply.h"

/* By the name's ending; what is not listed is bytes. */
static const char *content_type(const char *name)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {
        {".txt", "text/plain"},      {".csv", "text/csv"},        {".json", "application/json"},
        {".html", "text/html"},      {".md", "text/markdown"},    {".py", "text/x-python"},
        {".xml", "application/xml"}, {".png", "image/png"},       {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},     {".gif", "image/gif"},       {".svg", "image/svg+xml"},
        {".pdf", "application/pdf"}, {".zip", "application/zip"}, {".gz", "application/gzip"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot, types[i].ending) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static void write_numbered(sk_buffer_t *body, const file_entry_t *entry, int *number)
{
    sk_buffer_appendf(body, "{\"$id\":\"%d\",\"properties\":{\"$id\":\"%d\",\"filename\":", *number,
                      *number + 1);
    *number += 2;
    sk_json_write_text(body, entry->name);
    sk_buffer_appendf(body, ",\"size\":%lld,\"lastModifiedTime\":", (long long)entry->size);
    reply_write_time(body, &entry->modified, 7);
    sk_buffer_append_text(body, "}}");
}

static void write_flat(sk_buffer_t *body, const file_entry_t *entry)
{
    sk_buffer_append_text(body, "{\"name\":");
    sk_json_write_text(body, entry->name);
    if (entry->is_directory) {
        sk_buffer_append_text(body, ",\"type\":\"directory\",\"sizeInBytes\":4096");
    } else {
        sk_buffer_appendf(body, ",\"type\":\"file\",\"contentType\":\"%s\",\"sizeInBytes\":%lld",
                          content_type(entry->name), (long long)entry->size);
    }
    sk_buffer_append_text(body, ",\"lastModifiedAt\":");
    reply_write_time(body, &entry->modified, 9);
    sk_buffer_append_text(body, ",\"directory\":");
    sk_json_write_text(body, entry->directory);
    sk_buffer_append_char(body, '}');
}

void file_text_write(sk_buffer_t *body, family_t family, const file_entry_t *entry, int *number)
{
    if (family == FAMILY_A) {
        write_numbered(body, entry, number);
    } else {
        write_flat(body, entry);
    }
}

void file_text_write_opened(sk_buffer_t *body, family_t family, filename_t *filename,
                            const struct stat *status, int *number)
{
    char root[] = ".";
    file_entry_t entry = {filename->path + filename->base, root, status->st_size, status->st_mtim,
                          false};

    if (filename->base > 0) { /* for as long as it is written */
        filename->path[filename->base - 1] = '\0';
        entry.directory = filename->path;
    }
    file_text_write(body, family, &entry, number);
    if (filename->base > 0) {
        filename->path[filename->base - 1] = '/';
    }
}
