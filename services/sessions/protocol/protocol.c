/*
 * protocol.c - which operation a request asks for.
 *
 * A path is any base and then an operation's pattern; the api-version says which
 * family's patterns there are. A base that is a pool's resource id is skipped as a
 * whole, so that its names cannot be taken for an operation.
 */
#include "protocol.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "execute.h"
#include "file_calls.h"
#include "metadata.h"
#include "metrics_call.h"
#include "reply.h"
#include "resource.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID_SEGMENTS  6 /* subscriptions/<s>/resourceGroups/<g>/sessionPools/<p> */
#define FAMILY_ANY   ((unsigned)FAMILY_A | FAMILY_B)

_Static_assert(sizeof(call_t) <= REQUEST_ROOM, "a call lives in its request's room");

/* ---- versions ---- */

static const version_t versions[] = {
    {"2024-02-02-preview", FAMILY_A, 200, 0, false},
    {"2024-08-02-preview", FAMILY_A, 200, 0, false},
    {"2024-10-02-preview", FAMILY_B, 202, 0, false},
    {"2025-02-02-preview", FAMILY_B, 202, 0, false},
    {"2025-10-02-preview", FAMILY_B, 200, 4096, true},
};

static const version_t *find_version(const char *name)
{
    for (size_t i = 0; i < COUNT(versions); i++) {
        if (strcmp(versions[i].name, name) == 0) {
            return &versions[i];
        }
    }
    return NULL;
}

/* ---- routes ---- */

typedef enum operand { OPERAND_NONE, OPERAND_SESSION, OPERAND_SESSION_OR_BODY } operand_t;

/* In a pattern * stands for one segment, and ** for one or more up to the end, or up to the
 * pattern's own end. With `open` the body is taken as it comes. */
static const struct route {
    unsigned family;
    const char *method;
    const char *pattern;
    operand_t operand;
    call_fn handle;
    call_fn open;
} routes[] = {
    {FAMILY_B, "POST", "executions", OPERAND_SESSION, execute_post, NULL},
    {FAMILY_B, "GET", "executions/*", OPERAND_SESSION, execute_get, NULL},
    {FAMILY_B, "POST", "files", OPERAND_SESSION, NULL, upload_open},
    {FAMILY_B, "GET", "files", OPERAND_SESSION, listing_get, NULL},
    {FAMILY_B, "GET", "files/**/content", OPERAND_SESSION, download_get, NULL},
    {FAMILY_B, "GET", "files/**", OPERAND_SESSION, one_file_describe, NULL},
    {FAMILY_B, "DELETE", "files/**", OPERAND_SESSION, one_file_remove, NULL},
    {FAMILY_B, "GET", "session", OPERAND_SESSION, resource_get_session, NULL},
    {FAMILY_B, "GET", "listSessions", OPERAND_NONE, resource_list_sessions, NULL},
    {FAMILY_B, "POST", ".management/stopSession", OPERAND_SESSION, resource_stop_session, NULL},
    {FAMILY_B, "DELETE", "session", OPERAND_SESSION, resource_delete_session, NULL},
    {FAMILY_B, "GET", "metadata", OPERAND_NONE, metadata_get, NULL},
    {FAMILY_A, "POST", "code/execute", OPERAND_SESSION_OR_BODY, execute_post, NULL},
    {FAMILY_A, "POST", "python/execute", OPERAND_SESSION_OR_BODY, execute_post_legacy, NULL},
    {FAMILY_A, "POST", "files/upload", OPERAND_SESSION, NULL, upload_open},
    {FAMILY_A, "POST", "python/uploadFile", OPERAND_SESSION, NULL, upload_open},
    {FAMILY_A, "GET", "files", OPERAND_SESSION, listing_get, NULL},
    {FAMILY_A, "GET", "files/content/**", OPERAND_SESSION, download_get, NULL},
    {FAMILY_A, "GET", "files/**", OPERAND_SESSION, one_file_describe, NULL},
    {FAMILY_A, "DELETE", "files/**", OPERAND_SESSION, one_file_remove, NULL},
};

static const char *const methods[] = {"GET", "POST", "DELETE"};

/* The segment that begins at `at` or behind the slashes there; NULL if there is none. */
static const char *next_segment(const char *at, size_t *size)
{
    at += strspn(at, "/");
    *size = strcspn(at, "/");
    return *size == 0 ? NULL : at;
}

/* The rest of a path without trailing slashes, and without the segment `last` if one is given. */
static bool match_rest(const char *rest, const char *last, size_t last_size, const char **name,
                       size_t *name_size)
{
    size_t size = strlen(rest);

    while (size > 0 && rest[size - 1] == '/') {
        size--;
    }
    if (last != NULL) {
        if (size <= last_size || memcmp(rest + size - last_size, last, last_size) != 0 ||
            rest[size - last_size - 1] != '/') {
            return false;
        }
        size -= last_size;
        while (size > 0 && rest[size - 1] == '/') {
            size--;
        }
    }
    *name = rest;
    *name_size = size;
    return size > 0;
}

/* Is this path, from here to its end, of that pattern? What * stands for becomes the name. */
static bool matches(const char *path, const char *pattern, const char **name, size_t *name_size)
{
    size_t size = 0;
    size_t wanted = 0;
    const char *segment = next_segment(path, &size);

    for (; (pattern = next_segment(pattern, &wanted)) != NULL; pattern += wanted) {
        if (segment == NULL) {
            return false;
        }
        if (wanted == 2 && *pattern == '*') {
            const char *last = next_segment(pattern + wanted, &wanted);
            return match_rest(segment, last, wanted, name, name_size);
        }
        if (*pattern == '*') {
            *name = segment;
            *name_size = size;
        } else if (size != wanted || memcmp(segment, pattern, size) != 0) {
            return false;
        }
        segment = next_segment(segment + size, &size);
    }
    return segment == NULL;
}

static const char *skip_resource_id(const char *path)
{
    size_t size = 0;
    const char *at = next_segment(path, &size);

    if (at == NULL || size != strlen("subscriptions") || memcmp(at, "subscriptions", size) != 0) {
        return path;
    }
    for (int i = 1; i < ID_SEGMENTS && at != NULL; i++) {
        at = next_segment(at + size, &size);
    }
    return at == NULL ? path : at + size;
}

/* The route of this path in these families, and of this method if there is one. */
static const struct route *find_route(call_t *call, unsigned families, const char *method)
{
    const char *at = skip_resource_id(request_path(call->request));
    const struct route *found = NULL;
    size_t size = 0;

    for (; (at = next_segment(at, &size)) != NULL; at += size) {
        for (size_t i = 0; i < COUNT(routes); i++) {
            const struct route *route = &routes[i];
            const char *name = NULL;
            size_t name_size = 0;
            if ((route->family & families) == 0 ||
                !matches(at, route->pattern, &name, &name_size)) {
                continue;
            }
            found = route;
            if (strcmp(route->method, method) == 0) {
                call->name = name;
                call->name_size = name_size;
                call->base_size = (size_t)(at - request_path(call->request));
                return route;
            }
        }
    }
    return found;
}

/* ---- checks ---- */

bool call_is_identifier(const char *text)
{
    size_t length = strlen(text);

    if (length < IDENTIFIER_MIN || length > IDENTIFIER_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '\\') {
            return false;
        }
    }
    return true;
}

static bool check_identifier(call_t *call, operand_t operand)
{
    call->identifier = operand == OPERAND_NONE ? NULL : request_query(call->request, "identifier");
    if (operand == OPERAND_NONE ||
        (operand == OPERAND_SESSION_OR_BODY && call->identifier == NULL)) {
        return true;
    }
    if (call->identifier == NULL || !call_is_identifier(call->identifier)) {
        refuse_value(call, "identifier",
                     call->identifier == NULL
                         ? "the query parameter identifier is missing"
                         : "the identifier must have 4 to 128 printable ASCII characters without "
                           "blank and backslash");
        return false;
    }
    return true;
}

/* With every method that the path takes: "GET, DELETE". */
static void refuse_method(call_t *call)
{
    char allow[64] = "";
    size_t length = 0;

    for (size_t i = 0; i < COUNT(methods); i++) {
        const struct route *route = find_route(call, call->version->family, methods[i]);
        if (strcmp(route->method, methods[i]) == 0) {
            length += (size_t)snprintf(allow + length, sizeof(allow) - length, "%s%s",
                                       length == 0 ? "" : ", ", methods[i]);
        }
    }
    request_add_header(call->request, "Allow", allow);
    refuse(call, 405, "MethodNotAllowed", NULL, "this path takes another method");
}

/* The session that it is for, if there is one already. */
static void note_session(call_t *call)
{
    const session_t *session =
        call->identifier == NULL ? NULL : session_find(call->protocol->pool, call->identifier);

    if (session != NULL) {
        request_note_session(call->request, session_guid(session));
    }
}

static void protocol_on_body(request_t *request)
{
    call_t *call = request_room(request);

    call->handle(call);
}

/* The path is no operation's, or the version is not one that has it. */
static void refuse_route(call_t *call, const char *version)
{
    if (find_route(call, FAMILY_ANY, request_method(call->request)) == NULL) {
        refuse(call, 404, "NotFound", NULL, "no operation of any api-version has this path");
    } else if (version == NULL || *version == '\0') {
        refuse_value(call, "api-version", "the query parameter api-version is missing");
    } else if (call->version == NULL) {
        request_answer_take(call->request, 401, NULL, NULL);
    } else {
        refuse(call, 404, "NotFound", NULL, "this api-version has no operation of this path");
    }
}

void protocol_handle(request_t *request, void *data)
{
    call_t *call = request_room(request);
    const char *method = request_method(request);
    const char *version = request_query(request, "api-version");

    call->protocol = data;
    call->request = request;
    call->version = version == NULL ? NULL : find_version(version);
    if (metrics_are_asked(request)) {
        metrics_get(call);
        return;
    }
    const struct route *route =
        call->version == NULL ? NULL : find_route(call, call->version->family, method);
    if (route == NULL) {
        refuse_route(call, version);
    } else if (strcmp(route->method, method) != 0) {
        refuse_method(call);
    } else if (check_identifier(call, route->operand)) {
        request_note_operation(request, route->pattern);
        note_session(call);
        call->handle = route->handle;
        if (route->open != NULL) {
            route->open(call);
        } else {
            request_read_body(request, protocol_on_body);
        }
    }
}
