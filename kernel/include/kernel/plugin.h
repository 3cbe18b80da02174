/* kernel/plugin.h - the plugin ABI, epoch 1.
 *
 *     #include <kernel/plugin.h>
 *
 *     KP_FUNCTION(integer, add, "Adds two integers.",
 *                 (integer, a, "First addend"),
 *                 (integer, b, "Second addend"))
 *     { return a + b; }
 *
 *     KP_PLUGIN("Math", "1.0.0", "Integer arithmetic.", add);
 *
 * Self-contained: a plugin includes this one file, links against nothing of
 * the kernel, and exports exactly one symbol (kernel_plugin_v1).  Everything
 * the host offers is reached through the vtable that the objects handed to the
 * plugin carry as their first member, so a plugin needs no global variable and
 * one mapped image can serve several kernels in one process.
 *
 * The promise: a plugin binary built with any released header of epoch 1 loads
 * on every later kernel of the same architecture.  Structs only grow at the
 * end; kp_value, kp_call, kp_instance, kp_named and kp_http_header never change.
 *
 * Thread tags:  [any]   from any thread
 *               [loop]  only on the kernel's loop thread; must not block
 *               [plain] the calling thread, or one of the kernel's pool; may block
 *               [owner] the thread that adds or removes the instance
 *
 * Memory: a const pointer that is handed over is borrowed until the function
 * that received it returns, unless its comment says otherwise.  Neither side
 * ever frees what the other allocated.
 */
/* clang-format off */
#ifndef KERNEL_PLUGIN_H
#define KERNEL_PLUGIN_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KP_EPOCH 1u          /* in the entry symbol's name; never changes in this file */
#define KP_MINOR 0u          /* grows when something is appended                       */
#ifndef KP_NEEDS_MINOR
#define KP_NEEDS_MINOR 0u    /* a plugin that cannot live without a later minor says so */
#endif

#if defined(__GNUC__)
#define KP_EXPORT __attribute__((visibility("default")))
#define KP_UNUSED __attribute__((unused))
#define KP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#elif defined(_WIN32)
#define KP_EXPORT __declspec(dllexport)
#define KP_UNUSED
#define KP_PRINTF(f, a)
#else
#define KP_EXPORT
#define KP_UNUSED
#define KP_PRINTF(f, a)
#endif

/* ---- values ------------------------------------------------------------ */

enum {                     /* kp_value.type, kp_param.type; numbers are frozen */
    KP_NULL = 0, KP_BOOLEAN = 1, KP_INTEGER = 2, KP_NUMBER = 3,
    KP_STRING = 4,         /* UTF-8, NUL after the last byte, len excludes it  */
    KP_OBJECT = 5,         /* JSON text of an object, like KP_STRING           */
    KP_ARRAY = 6,          /* JSON text of an array, like KP_STRING            */
    KP_BYTES = 7           /* raw; base64 only where JSON demands it           */
};

typedef struct kp_value {
    uint32_t type;
    uint32_t flags;        /* zero in epoch 1.0 */
    union {
        int64_t integer;
        double  number;
        int64_t boolean;
        struct { const char *ptr; size_t len; } text;   /* STRING OBJECT ARRAY BYTES */
    } as;
} kp_value;

typedef struct kp_bytes { const void *ptr; size_t len; } kp_bytes;

/* Bytes beside a result: an image, a table.  Never base64 inside a text that a model reads. */
typedef struct kp_attachment {
    uint32_t    size, flags;
    const char *name;          /* "figure-1.png"; NULL: none     */
    const char *media_type;    /* "image/png"; NULL: application/octet-stream */
    const void *data;
    size_t      len;
} kp_attachment;

/* ---- status codes (frozen) --------------------------------------------- */

enum {
    KP_OK = 0,
    KP_PENDING = 1,            /* kp_complete() will follow, exactly once */
    KP_E_INVALID = -1,         /* arguments or configuration */
    KP_E_NOT_FOUND = -2,
    KP_E_EXISTS = -3,
    KP_E_DENIED = -4,          /* policy said no */
    KP_E_AUTH = -5,            /* credentials missing or refused */
    KP_E_TIMEOUT = -6,
    KP_E_CANCELLED = -7,
    KP_E_BUSY = -8,            /* rate limit, retry later */
    KP_E_UNAVAILABLE = -9,     /* network down, closing; retryable */
    KP_E_REMOTE = -10,         /* the far side answered with an error */
    KP_E_LIMIT = -11,          /* too big, too deep, too many */
    KP_E_NO_MEMORY = -12,
    KP_E_UNSUPPORTED = -13,
    KP_E_INTERNAL = -14,
    KP_E_CRASHED = -15,        /* isolated plugin's process died */
    KP_E_ABI = -16,            /* loader only */
    KP_E_WOULD_DEADLOCK = -17, /* a waiting call on the loop thread, or on its own ancestor */
    KP_E_DEPTH = -18           /* calls nested deeper than 64 */
};

/* How a call ended, in one view.  All of it is valid during the callback that receives it. */
typedef struct kp_result {
    uint32_t    size;
    int32_t     status;                /* KP_OK, or why there is no value               */
    kp_value    value;
    const char *text;                  /* for people and models; NULL: the value itself */
    size_t      text_len;
    const kp_attachment *attachments;
    uint32_t    attachment_count, attachment_stride;
    const char *error;                 /* NULL on KP_OK                                  */
    const char *detail;                /* JSON beside the error, for logs; NULL: none    */
} kp_result;
typedef void (*kp_result_fn)(void *arg, const kp_result *result);

/* ---- forward ----------------------------------------------------------- */

typedef struct kp_host     kp_host;
typedef struct kp_call     kp_call;
typedef struct kp_instance kp_instance;
typedef struct kp_param    kp_param;
typedef struct kp_function kp_function;
typedef struct kp_plugin   kp_plugin;
typedef struct kp_module   kp_module;

/* ---- static descriptors ------------------------------------------------ */

enum { KP_OPTIONAL = 1u,   /* may be absent: argv[i].type is KP_NULL             */
       KP_HIDDEN   = 2u,   /* filled by the host application, never shown to a model */
       KP_SECRET   = 4u }; /* never logged, never traced, wiped after use         */

struct kp_param {
    const char *name;
    uint32_t    type;
    uint32_t    reserved0;
    const char *description;
    const char *dflt;                  /* JSON text; makes the parameter optional */
    const char *env;                   /* configuration: environment variable     */
    const char *const *choices;        /* NULL-terminated; JSON schema "enum"     */
    const char *schema;                /* JSON object merged into the property    */
    uint32_t    flags;
    uint32_t    reserved1;
};

/* "One at a time" below excludes other plain calls of the instance, not the code that runs on [loop]
 * (async functions, callbacks, hooks): what both touch needs a lock of the plugin's own.
 * No flag: plain.  Runs inline on the calling thread, or on the kernel's pool
 * when started asynchronously; may block; one at a time per instance if the
 * plugin has create(). */
enum { KP_F_ASYNC       = 1u,   /* begins on [loop], must not block, may return KP_PENDING */
       KP_F_STREAMS     = 2u,   /* may call kp_emit()                             */
       KP_F_CONCURRENT  = 4u,   /* plain, guards its instance's state itself: may run beside any other call */
       KP_F_QUICK       = 8u,   /* plain, never blocks, under 100 us: may run inline on [loop] */
       KP_F_READ_ONLY   = 16u,  KP_F_DESTRUCTIVE = 32u,
       KP_F_IDEMPOTENT  = 64u,  KP_F_OPEN_WORLD  = 128u,
       KP_F_CONFIRM     = 256u, /* ask a person before every call                 */
       KP_F_NOT_A_TOOL  = 512u  /* callable by name, never offered to a model     */ };

struct kp_function {
    uint32_t         size;
    uint32_t         flags;
    const char      *name;
    const char      *description;
    const kp_param  *params;
    uint32_t         param_count;
    uint32_t         param_stride;     /* sizeof(kp_param) in the plugin's header */
    uint32_t         returns;          /* KP_STRING ... ; KP_NULL: unspecified    */
    uint32_t         reserved0;
    const char      *returns_description;
    const char      *returns_schema;
    int            (*invoke)(kp_call *);   /* [plain]; [loop] if KP_F_ASYNC       */
    void            *data;             /* for functions made at run time          */
};

struct kp_plugin {
    uint32_t         size;
    uint32_t         flags;
    const char      *name;
    const char      *version;
    const char      *description;
    const kp_function *const *functions;  /* NULL-terminated */
    const kp_param  *config;              /* same typed, defaulted, validated rules */
    uint32_t         config_count;
    uint32_t         config_stride;
    /* Sets inst->self, no I/O.  When it fails, destroy is not called; what it logged last with
     * KP_LOG_ERROR becomes the text that the host sees. */
    int            (*create)(kp_instance *);        /* [owner] */
    void           (*destroy)(kp_instance *);       /* [owner] after the last call ended */
    const void    *(*extension)(kp_instance *, const char *id);   /* [any] may be NULL */
};

struct kp_module {
    uint32_t         size;
    uint32_t         minor;            /* KP_MINOR of the plugin's header: information */
    uint32_t         needs_minor;      /* the only version that can refuse a load      */
    uint32_t         flags;
    const kp_plugin *const *plugins;   /* NULL-terminated */
};

typedef const kp_module *(*kp_entry_fn)(const kp_host *);

/* ---- run-time objects: frozen prefixes, the host keeps more behind them - */

struct kp_instance {
    const kp_host   *host;
    void            *self;             /* the plugin's; set in create()        */
    const char      *name;             /* the name the user gave this instance */
    const kp_plugin *plugin;
    const kp_value  *config;
    uint32_t         config_count;
    uint32_t         reserved0;
};

enum { KP_CALL_STREAM = 1u, KP_CALL_FROM_MODEL = 2u, KP_CALL_ISOLATED = 4u };

struct kp_call {
    const kp_host     *host;
    kp_instance       *instance;
    void              *self;           /* == instance->self */
    const kp_function *function;
    const kp_value    *argv;           /* one slot per declared parameter, in order */
    uint32_t           argc;
    uint32_t           flags;
    int32_t            status;         /* negative once kp_fail() was called */
    uint32_t           reserved0;
    kp_value           result;
    void             (*result_free)(void *);   /* [any] set by kp_return_take() */
    void              *data;           /* the plugin's, for this call  */
};

typedef void (*kp_callback)(void *arg);
typedef void (*kp_cancel_fn)(kp_call *, void *arg);
typedef void (*kp_drain_fn)(kp_call *, void *arg);

enum { KP_EMIT_TEXT = 1, KP_EMIT_JSON = 2, KP_EMIT_BYTES = 3, KP_EMIT_PROGRESS = 4 };
enum { KP_LOG_TRACE, KP_LOG_DEBUG, KP_LOG_INFO, KP_LOG_WARN, KP_LOG_ERROR };

struct kp_host {
    uint32_t size;
    uint32_t minor;
    void   *(*alloc)(kp_call *, size_t);                                   /* [any]  */
    void    (*fail)(kp_call *, int code, const char *text, size_t len,
                    const char *detail_json);                              /* [any]  */
    /* Exactly once, also after cancellation.  Afterwards the call and its kp_alloc memory are gone; a
     * second time is logged and ignored while the kernel can still tell. */
    void    (*complete)(kp_call *, int status);                            /* [any]  */
    /* KP_OK, KP_E_BUSY (consumer slow, chunk not taken), KP_E_CANCELLED */
    int     (*emit)(kp_call *, uint32_t kind, const kp_value *, double progress); /* [any] */
    /* One hook per call.  Runs once, when the call is cancelled, its deadline passes, its instance is
     * removed or the kernel closed; an async call must then be completed, by the hook or soon after.
     * It never starts after the call was completed, and the call's end waits for it.
     * KP_E_CANCELLED: already cancelled, not installed. */
    int     (*on_cancel)(kp_call *, kp_cancel_fn, void *arg);              /* [any]  */
    int     (*cancelled)(const kp_call *);                                 /* [any]  */
    int64_t (*time_left)(const kp_call *);                                 /* [any] ms, -1 */
    void    (*log)(kp_instance *, int level, const char *text, size_t len);/* [any]  */
    const void *(*extension)(kp_instance *, const char *id);               /* [any]  */
    /* Beside the value: a text for people and models, when it differs from the value; copied. */
    int     (*text)(kp_call *, const char *text, size_t len);              /* [any]  */
    /* Adds one attachment to the result; copied.  KP_E_LIMIT beyond 64, or beyond the argument limit. */
    int     (*attach)(kp_call *, const kp_attachment *);                   /* [any]  */
    /* After emit answered KP_E_BUSY: fn runs once, on [loop], when there is room again.  One hook
     * per call; it never starts after the call was completed.  KP_E_CANCELLED: not installed. */
    int     (*on_drain)(kp_call *, kp_drain_fn, void *arg);                /* [any]  */
};

/* Is a member that was appended later really there? */
#define KP_HAS(ptr, type, member) \
    ((ptr)->size >= (uint32_t)(offsetof(type, member) + sizeof(((type *)0)->member)))

/* ---- host extensions of 1.0 --------------------------------------------
 * Ask with kp_extension(instance, id), best in create; NULL: not offered here.
 * Each function takes its own table first, so that the module that answers
 * finds its state.  A table is constant and valid until destroy returns. */

#define KP_EXT_LOOP "kernel.loop/1"
typedef struct kp_timer kp_timer;
typedef struct kp_loop kp_loop;
struct kp_loop {
    uint32_t size, reserved;
    /* Fires once; the handle is gone when fn starts or timer_stop returns.  NULL: no memory, or the
     * instance is being removed (which drops timers that have not fired). */
    kp_timer *(*timer)(const kp_loop *, kp_instance *, uint64_t ms, kp_callback fn, void *arg); /* [loop] */
    void      (*timer_stop)(const kp_loop *, kp_timer *);                          /* [loop] NULL is fine */
    int       (*post)(const kp_loop *, kp_instance *, kp_callback fn, void *arg);  /* [any] fn on [loop]  */
    /* on_pool may block; on_loop follows it on [loop] and may be NULL. */
    int       (*work)(const kp_loop *, kp_instance *, kp_callback on_pool, kp_callback on_loop,
                      void *arg);                                                  /* [any]  */
};

/* Other functions by name ("plugin-function"); they inherit deadline, cancellation and context of
 * the parent call.  Anything but KP_OK from start: no callback will come. */
#define KP_EXT_INVOKE "kernel.invoke/1"
typedef struct kp_named { const char *name; kp_value value; } kp_named;
typedef struct kp_invocation kp_invocation;
typedef struct kp_invoke_options {              /* zero it, then set size and what is needed */
    uint32_t size, flags;
    int64_t  timeout_ms;                        /* 0: the parent's deadline alone */
    void   (*on_chunk)(void *arg, uint32_t kind, const kp_value *chunk);           /* in order; [loop] */
    void    *arg;                               /* of on_chunk */
} kp_invoke_options;
typedef struct kp_invoke kp_invoke;
struct kp_invoke {
    uint32_t size, reserved;
    /* on_result: [loop], exactly once, never inside start; an unknown name is an outcome, too.
     * out may be NULL; else release what it is set to, which may be NULL. */
    int  (*start)(const kp_invoke *, kp_call *parent, const char *name, const kp_named *args,
                  size_t arg_count, const kp_invoke_options *, kp_result_fn on_result, void *arg,
                  kp_invocation **out);                                            /* [any]  */
    int  (*start_json)(const kp_invoke *, kp_call *parent, const char *name, const char *args_json,
                       size_t args_len, const kp_invoke_options *, kp_result_fn on_result, void *arg,
                       kp_invocation **out);                                       /* [any]  */
    void (*cancel)(const kp_invoke *, kp_invocation *);                            /* [any]  */
    void (*release)(const kp_invoke *, kp_invocation *);                           /* [any]  */
    /* The blocking form for plain functions: the kernel sees the wait and keeps the pool moving.
     * on_result runs on this thread before call returns the same status; chunks come on this
     * thread, too.  On [loop]: KP_E_WOULD_DEADLOCK. */
    int  (*call)(const kp_invoke *, kp_call *parent, const char *name, const kp_named *args,
                 size_t arg_count, const kp_invoke_options *, kp_result_fn on_result,
                 void *arg);                                                       /* [plain] */
    int  (*call_json)(const kp_invoke *, kp_call *parent, const char *name, const char *args_json,
                      size_t args_len, const kp_invoke_options *, kp_result_fn on_result,
                      void *arg);                                                  /* [plain] */
};

#define KP_EXT_CREDENTIAL "kernel.credential/1"
typedef struct kp_credential kp_credential;
struct kp_credential {
    uint32_t size, reserved;
    /* credential: a name the application configured, NULL: its default.  force_refresh: not from the
     * cache (after a 401).  The result is a KP_STRING, the bare token: a secret. */
    int (*token)(const kp_credential *, kp_call *, const char *credential, const char *scope,
                 int force_refresh, kp_result_fn on_result, void *arg);            /* [any]  */
};

#define KP_EXT_HTTP "kernel.http/1"
enum { KP_HTTP_BOUNDED_MEMORY = 1u,   /* the consumer may pause for long: never buffer more than a chunk */
       KP_HTTP_RETRY_UNSAFE   = 2u,   /* repeating a POST or PATCH is harmless here                     */
       KP_HTTP_PUBLIC_ONLY    = 4u    /* refuse private, loopback, link-local addresses                 */ };
enum { KP_HTTP_REDIRECT_NONE = 0, KP_HTTP_REDIRECT_GET = 1, /* GET and HEAD only */ KP_HTTP_REDIRECT_ALL = 2 };
enum { KP_HTTP_EVENT_CUT = 1u         /* the stream ended inside this event */ };
enum { KP_HTTP_BODY_CUT = 1u,         /* body holds the beginning only (an answer that is not 2xx) */
       KP_HTTP_UNSENT   = 2u          /* no answer, and nothing of the request has left: sending it again is safe */ };

typedef struct kp_http_op kp_http_op;
typedef struct kp_http_header { const char *name, *value; } kp_http_header;
typedef struct kp_http_part {                   /* one field or file of multipart/form-data */
    const char *name, *filename, *media_type;   /* filename, media_type: NULL for none      */
    const void *data; size_t len;               /* from memory; or, with data NULL,         */
    const char *path;                           /* from this file, streamed                 */
} kp_http_part;
typedef struct kp_http_event {                  /* one server-sent event; no NUL at the ends */
    uint32_t size, flags;
    const char *event; size_t event_len;        /* "message" if the server gave no name */
    const char *data;  size_t data_len;         /* its lines joined by \n */
    const char *id;    size_t id_len;           /* the last id seen on this stream */
    const kp_http_header *fields; size_t field_count;   /* any other field, as it came */
} kp_http_event;
typedef struct kp_http_response {
    uint32_t size;
    int32_t  status;                            /* KP_OK: an answer came whole, of any HTTP status */
    uint32_t http_status;                       /* 0: none came */
    uint32_t attempts;
    int64_t  retry_after_ms;                    /* what the server asked for; -1: nothing */
    const kp_http_header *headers; size_t header_count;
    const void *body; size_t body_len;          /* NUL behind it; empty if it went elsewhere */
    const char *error;                          /* NULL on KP_OK */
    uint32_t flags, reserved;
} kp_http_response;
/* A 2xx body goes to exactly one place: download_path; on_event if the type is text/event-stream;
 * on_chunk if set; else body.  An answer that is not 2xx goes to body, cut at 64 KiB. */
typedef struct kp_http_request {                /* zero it, then set size and what is needed */
    uint32_t size, flags;
    kp_call    *call;                           /* shares its deadline and cancellation, is completed in
                                                 * on_done or later; NULL: the instance's */
    const char *method, *url;
    const char *unix_socket;                    /* connect there instead; NULL: by the URL */
    const kp_http_header *headers;        size_t header_count;
    const kp_http_header *secret_headers; size_t secret_header_count;   /* never logged, not redirected */
    const void *body; size_t body_len;          /* copied before request() returns */
    const kp_http_part *parts;                  /* instead of body */
    uint32_t part_count, part_stride;           /* sizeof(kp_http_part) in the plugin's header */
    const char *download_path;                  /* a 2xx body goes into this file */
    uint32_t connect_ms, first_byte_ms, idle_ms, total_ms;              /* 0: the host's default */
    uint32_t max_attempts;                      /* 0: the host's default, 1: no retry */
    uint32_t redirects;                         /* KP_HTTP_REDIRECT_ */
    uint64_t max_response;                      /* bytes after decoding; 0: the host's cap */
    /* all on [loop]; each may be NULL but on_done; totals are 0 while unknown */
    void (*on_chunk)(void *arg, kp_http_op *, const void *, size_t);
    void (*on_event)(void *arg, kp_http_op *, const kp_http_event *);
    void (*on_progress)(void *arg, kp_http_op *, uint64_t sent, uint64_t send_total,
                        uint64_t received, uint64_t receive_total);
    void (*on_done)(void *arg, const kp_http_response *);               /* last, exactly once */
    void *arg;
} kp_http_request;
typedef struct kp_http kp_http;
struct kp_http {
    uint32_t size, reserved;
    /* Anything but KP_OK: no callback will come; with a call set, its error text says why.
     * op may be NULL; filled on [loop] only, elsewhere set to NULL: the request may be over already */
    int  (*request)(const kp_http *, kp_instance *, const kp_http_request *, kp_http_op **op); /* [any] */
    void (*cancel)(const kp_http *, kp_http_op *);                                 /* [loop] */
    void (*pause)(const kp_http *, kp_http_op *);                                  /* [loop] */
    void (*resume)(const kp_http *, kp_http_op *);                                 /* [loop] */
};

/* ambient values of the running invocation: "session", "user", "traceparent", ... */
#define KP_EXT_CONTEXT "kernel.context/1"
typedef struct kp_context kp_context;
struct kp_context {
    uint32_t size, reserved;
    /* KP_E_NOT_FOUND: nobody set it.  What it points to is valid until the call ends. */
    int (*get)(const kp_context *, kp_call *, const char *key, kp_value *out);     /* [any]  */
};

/* functions known only at run time (a tool server's, an OpenAPI document's) */
#define KP_EXT_FUNCTIONS "kernel.functions/1"
typedef struct kp_functions kp_functions;
struct kp_functions {
    uint32_t size, reserved;
    int (*add)(const kp_functions *, kp_instance *, const kp_function *);          /* [any] deep copy; KP_E_EXISTS */
    int (*remove)(const kp_functions *, kp_instance *, const char *name);          /* [any] running calls finish   */
};

/* the local pool of code-interpreter sessions, started by the first open() */
#define KP_EXT_SESSIONS "kernel.sessions/1"
typedef struct kp_session_pool {
    uint32_t    size, flags;
    const char *endpoint;                       /* pool management endpoint, "http://localhost" */
    const char *unix_socket;                    /* connect there */
    const char *level;                          /* of isolation: "full", "no-cgroup", ... */
} kp_session_pool;
typedef void (*kp_session_pool_fn)(void *arg, int status, const kp_session_pool *pool, const char *error);
typedef struct kp_sessions kp_sessions;
struct kp_sessions {
    uint32_t size, reserved;
    /* fn: [loop], exactly once, never inside open; pool is NULL unless status is KP_OK.  Ends with
     * the call's deadline and cancellation.  Anything but KP_OK from open: no callback will come. */
    int (*open)(const kp_sessions *, kp_instance *, kp_call *, kp_session_pool_fn fn, void *arg); /* [any]  */
};

/* ---- inline helpers: compiled into the plugin, use only what is above --- */

static inline int64_t     kp_integer(const kp_call *c, unsigned i) { return c->argv[i].as.integer; }
static inline double      kp_number (const kp_call *c, unsigned i) { return c->argv[i].as.number; }
static inline int         kp_boolean(const kp_call *c, unsigned i) { return c->argv[i].as.boolean != 0; }
static inline int         kp_given  (const kp_call *c, unsigned i) { return c->argv[i].type != KP_NULL; }
static inline size_t      kp_len    (const kp_call *c, unsigned i) { return c->argv[i].as.text.len; }
static inline const char *kp_text   (const kp_call *c, unsigned i)
{ return c->argv[i].type == KP_NULL ? NULL : c->argv[i].as.text.ptr; }
static inline kp_bytes    kp_binary (const kp_call *c, unsigned i)
{ kp_bytes b = { NULL, 0 }; if (kp_given(c, i)) { b.ptr = c->argv[i].as.text.ptr; b.len = kp_len(c, i); } return b; }

/* 16-byte aligned; ends with the call */
static inline void *kp_alloc(kp_call *c, size_t n) { return c->host->alloc(c, n); }

static inline int kp_return_null(kp_call *c) { c->result.type = KP_NULL; return KP_OK; }
static inline int kp_return_integer(kp_call *c, int64_t v)
{ c->result.type = KP_INTEGER; c->result.as.integer = v; return KP_OK; }
static inline int kp_return_number(kp_call *c, double v)
{ c->result.type = KP_NUMBER; c->result.as.number = v; return KP_OK; }
static inline int kp_return_boolean(kp_call *c, int v)
{ c->result.type = KP_BOOLEAN; c->result.as.boolean = v != 0; return KP_OK; }
/* type: KP_STRING KP_OBJECT KP_ARRAY KP_BYTES.  borrow: memory outlives the call (static or arena) */
static inline int kp_return_borrow(kp_call *c, uint32_t type, const void *p, size_t n)
{ c->result.type = type; c->result.as.text.ptr = (const char *)p; c->result.as.text.len = n; return KP_OK; }
static inline int kp_return_copy(kp_call *c, uint32_t type, const void *p, size_t n)
{
    char *m = (char *)c->host->alloc(c, n + 1);
    if (!m) return KP_E_NO_MEMORY;
    if (n) memcpy(m, p, n);
    m[n] = 0;
    return kp_return_borrow(c, type, m, n);
}
/* the host copies it and calls free_fn(p) when the call ends, also when it failed; on any thread */
static inline int kp_return_take(kp_call *c, uint32_t type, void *p, size_t n, void (*free_fn)(void *))
{ c->result_free = free_fn; return kp_return_borrow(c, type, p, n); }
static inline int kp_return_text(kp_call *c, uint32_t type, const char *s)
{ return s ? kp_return_copy(c, type, s, strlen(s)) : kp_return_null(c); }
static inline int kp_return_string(kp_call *c, const char *s) { return kp_return_text(c, KP_STRING, s); }

/* beside the value: a text for people and models */
static inline int kp_set_text(kp_call *c, const char *s, size_t n) { return c->host->text(c, s, n); }
static inline int kp_attach(kp_call *c, const char *name, const char *media_type, const void *p, size_t n)
{
    kp_attachment a;
    memset(&a, 0, sizeof a);
    a.size = (uint32_t)sizeof a; a.name = name; a.media_type = media_type; a.data = p; a.len = n;
    return c->host->attach(c, &a);
}

/* The text goes to the model and to logs: no secrets in it. */
static inline int kp_fail(kp_call *c, int code, const char *fmt, ...) KP_PRINTF(3, 4);
static inline int kp_fail(kp_call *c, int code, const char *fmt, ...)
{
    char b[512]; int n; va_list ap;
    va_start(ap, fmt); n = vsnprintf(b, sizeof b, fmt, ap); va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof b) n = (int)sizeof b - 1;
    c->status = code;
    c->host->fail(c, code, b, (size_t)n, NULL);
    return code;
}
static inline void kp_complete(kp_call *c, int status) { c->host->complete(c, status); }
/* ms until the deadline, -1: none */
static inline int64_t kp_time_left(const kp_call *c) { return c->host->time_left(c); }
static inline int  kp_cancelled(const kp_call *c) { return c->host->cancelled(c); }
static inline int  kp_on_cancel(kp_call *c, kp_cancel_fn f, void *a) { return c->host->on_cancel(c, f, a); }
static inline int  kp_on_drain(kp_call *c, kp_drain_fn f, void *a) { return c->host->on_drain(c, f, a); }

/* values for kernel.invoke/1: kp_named args[] = { { "code", kp_of_string(s) } }; the text is borrowed */
static inline kp_value kp_of_text(uint32_t type, const void *p, size_t n)
{ kp_value v; memset(&v, 0, sizeof v); v.type = type; v.as.text.ptr = (const char *)p; v.as.text.len = n; return v; }
static inline kp_value kp_of_string(const char *s) { return kp_of_text(KP_STRING, s, s ? strlen(s) : 0); }
static inline kp_value kp_of_integer(int64_t i)
{ kp_value v; memset(&v, 0, sizeof v); v.type = KP_INTEGER; v.as.integer = i; return v; }
static inline kp_value kp_of_number(double d)
{ kp_value v; memset(&v, 0, sizeof v); v.type = KP_NUMBER; v.as.number = d; return v; }
static inline kp_value kp_of_boolean(int b)
{ kp_value v; memset(&v, 0, sizeof v); v.type = KP_BOOLEAN; v.as.boolean = b != 0; return v; }

/* Chunks come before the result and do not replace it.  KP_E_BUSY: 256 wait already, see kp_on_drain. */
static inline int  kp_emit_text(kp_call *c, const char *s, size_t n)
{ kp_value v = kp_of_text(KP_STRING, s, n); return c->host->emit(c, KP_EMIT_TEXT, &v, 0.0); }
static inline int  kp_emit_json(kp_call *c, const char *s, size_t n)
{ kp_value v = kp_of_text(KP_OBJECT, s, n); return c->host->emit(c, KP_EMIT_JSON, &v, 0.0); }
static inline int  kp_emit_bytes(kp_call *c, const void *p, size_t n)
{ kp_value v = kp_of_text(KP_BYTES, p, n); return c->host->emit(c, KP_EMIT_BYTES, &v, 0.0); }
static inline int  kp_progress(kp_call *c, double fraction)
{ return c->host->emit(c, KP_EMIT_PROGRESS, NULL, fraction); }
static inline const void *kp_extension(kp_instance *i, const char *id) { return i->host->extension(i, id); }
static inline void kp_log(kp_instance *i, int level, const char *fmt, ...) KP_PRINTF(3, 4);
static inline void kp_log(kp_instance *i, int level, const char *fmt, ...)
{
    char b[1024]; int n; va_list ap;
    va_start(ap, fmt); n = vsnprintf(b, sizeof b, fmt, ap); va_end(ap);
    if (n < 0) n = 0;
    if ((size_t)n >= sizeof b) n = (int)sizeof b - 1;
    i->host->log(i, level, b, (size_t)n);
}

#ifdef __cplusplus
}
#endif

/* ---- macros: declare a function and its schema in one place -------------
 *
 *   KP_FUNCTION(integer, add, "Adds two integers.",
 *               (integer, a, "First addend"),
 *               (integer, b, "Second addend"))
 *   { return a + b; }
 *
 *   KP_PLUGIN("Math", "1.0.0", "Integer arithmetic.", add);
 *
 * Once a module; the semicolon belongs to it.  A plugin with state or
 * configuration says so with KP_PLUGIN_EX, which takes the members of kp_plugin:
 *
 *   KP_PLUGIN_EX(.name = "Math", .version = "1.0.0", .description = "...",
 *                .functions = KP_FUNCTIONS(add, subtract),
 *                KP_CONFIG((integer, limit, "Largest sum", .dflt = "100")),
 *                .create = create, .destroy = destroy);
 *
 * Configuration comes bound and checked in inst->config, in the order declared.
 *
 * Result words: integer number boolean string object array bytes none
 *               status (set the result yourself, return a KP_ code)
 *               async  (like status, begins on [loop], KP_PENDING allowed)
 * All but async are plain functions and may block; KP_FUNCTION_FLAGS takes KP_F_
 * flags first.  KP_FUNCTION_RETURNS declares the result, too: (type, description,
 * schema or NULL), which status and async functions cannot say otherwise:
 *
 *   KP_FUNCTION_RETURNS(KP_F_READ_ONLY, async, list, (array, "The names.", NULL),
 *                       "Lists files.", (string, path, "Folder"))
 *
 * A parameter: (type, name, "description", .dflt = "JSON",
 * .env = "NAME", .choices = KP_CHOICES(..), .schema = "JSON", .flags = KP_..).
 * `call` is in scope in every body.  Up to 16 parameters.
 */
#define KP_CAT_(a, b) a##b
#define KP_CAT(a, b) KP_CAT_(a, b)
#define KP_NARG_(a0,a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15,a16,n,...) n
#define KP_NARG(...) KP_NARG_(__VA_ARGS__,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1,0,~)
#define KP_FIRST(...) KP_FIRST_(__VA_ARGS__, ~)
#define KP_FIRST_(a, ...) a

/* KP_EACHn(m, d, p0..): d (the description) is skipped, m(index, p) for the rest */
#define KP_EACH0(m,d)
#define KP_EACH1(m,d,a) m(0,a)
#define KP_EACH2(m,d,a,b) KP_EACH1(m,d,a) m(1,b)
#define KP_EACH3(m,d,a,b,c) KP_EACH2(m,d,a,b) m(2,c)
#define KP_EACH4(m,d,a,b,c,e) KP_EACH3(m,d,a,b,c) m(3,e)
#define KP_EACH5(m,d,a,b,c,e,f) KP_EACH4(m,d,a,b,c,e) m(4,f)
#define KP_EACH6(m,d,a,b,c,e,f,g) KP_EACH5(m,d,a,b,c,e,f) m(5,g)
#define KP_EACH7(m,d,a,b,c,e,f,g,h) KP_EACH6(m,d,a,b,c,e,f,g) m(6,h)
#define KP_EACH8(m,d,a,b,c,e,f,g,h,i) KP_EACH7(m,d,a,b,c,e,f,g,h) m(7,i)
#define KP_EACH9(m,d,a,b,c,e,f,g,h,i,j) KP_EACH8(m,d,a,b,c,e,f,g,h,i) m(8,j)
#define KP_EACH10(m,d,a,b,c,e,f,g,h,i,j,k) KP_EACH9(m,d,a,b,c,e,f,g,h,i,j) m(9,k)
#define KP_EACH11(m,d,a,b,c,e,f,g,h,i,j,k,l) KP_EACH10(m,d,a,b,c,e,f,g,h,i,j,k) m(10,l)
#define KP_EACH12(m,d,a,b,c,e,f,g,h,i,j,k,l,n) KP_EACH11(m,d,a,b,c,e,f,g,h,i,j,k,l) m(11,n)
#define KP_EACH13(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o) KP_EACH12(m,d,a,b,c,e,f,g,h,i,j,k,l,n) m(12,o)
#define KP_EACH14(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o,p) KP_EACH13(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o) m(13,p)
#define KP_EACH15(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o,p,q) KP_EACH14(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o,p) m(14,q)
#define KP_EACH16(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o,p,q,r) KP_EACH15(m,d,a,b,c,e,f,g,h,i,j,k,l,n,o,p,q) m(15,r)
#define KP_EACH(m, ...) KP_CAT(KP_EACH, KP_NARG(__VA_ARGS__))(m, __VA_ARGS__)

#define KP_T_integer KP_INTEGER
#define KP_T_number  KP_NUMBER
#define KP_T_boolean KP_BOOLEAN
#define KP_T_string  KP_STRING
#define KP_T_object  KP_OBJECT
#define KP_T_array   KP_ARRAY
#define KP_T_bytes   KP_BYTES
#define KP_T_none    KP_NULL
#define KP_T_status  KP_NULL
#define KP_T_async   KP_NULL
#define KP_C_integer int64_t
#define KP_C_number  double
#define KP_C_boolean int
#define KP_C_string  const char *
#define KP_C_object  const char *
#define KP_C_array   const char *
#define KP_C_bytes   kp_bytes
#define KP_C_none    void
#define KP_C_status  int
#define KP_C_async   int
#define KP_G_integer kp_integer
#define KP_G_number  kp_number
#define KP_G_boolean kp_boolean
#define KP_G_string  kp_text
#define KP_G_object  kp_text
#define KP_G_array   kp_text
#define KP_G_bytes   kp_binary
#define KP_FL_integer 0u
#define KP_FL_number  0u
#define KP_FL_boolean 0u
#define KP_FL_string  0u
#define KP_FL_object  0u
#define KP_FL_array   0u
#define KP_FL_bytes   0u
#define KP_FL_none    0u
#define KP_FL_status  0u
#define KP_FL_async   KP_F_ASYNC
/* what the body gave, unless it called kp_fail() */
#define KP_R_(type, e, set) do { type v_ = (e); return call->status < 0 ? call->status : (set); } while (0)
#define KP_R_integer(e) KP_R_(int64_t, e, kp_return_integer(call, v_))
#define KP_R_number(e)  KP_R_(double, e, kp_return_number(call, v_))
#define KP_R_boolean(e) KP_R_(int, e, kp_return_boolean(call, v_))
#define KP_R_text_(t,e) KP_R_(const char *, e, kp_return_text(call, t, v_))
#define KP_R_string(e)  KP_R_text_(KP_STRING, e)
#define KP_R_object(e)  KP_R_text_(KP_OBJECT, e)
#define KP_R_array(e)   KP_R_text_(KP_ARRAY, e)
#define KP_R_bytes(e)   KP_R_(kp_bytes, e, kp_return_copy(call, KP_BYTES, v_.ptr, v_.len))
#define KP_R_none(e)    do { (e); return call->status < 0 ? call->status : kp_return_null(call); } while (0)
#define KP_R_status(e)  return (e)
#define KP_R_async(e)   return (e)

#define KP_TYPE_OF_(type, ...) type
#define KP_DECL_(type, name, ...) , KP_UNUSED KP_C_##type name
#define KP_DESC_(type, ...) { KP_DESC2_(type, __VA_ARGS__) },
#define KP_DESC2_(type_, name_, ...) .name = #name_, .type = KP_T_##type_, .description = __VA_ARGS__
#define KP_M_DECL(i, p) KP_DECL_ p
#define KP_M_DESC(i, p) KP_DESC_ p
#define KP_M_ARG(i, p)  , KP_CAT(KP_G_, KP_TYPE_OF_ p)(call, i)

#define KP_FUNCTION(ret, name, ...) KP_FUNCTION_FLAGS(0u, ret, name, __VA_ARGS__)
#define KP_FUNCTION_FLAGS(fl, ret, name_, ...)                                              \
    KP_FUNCTION_RETURNS(fl, ret, name_, (ret, NULL, NULL), __VA_ARGS__)
#define KP_RETURNS_(type_, description_, schema_)                                           \
    .returns = KP_T_##type_, .returns_description = description_, .returns_schema = schema_
#define KP_FUNCTION_RETURNS(fl, ret, name_, returns_, ...)                                  \
    static KP_C_##ret kpb_##name_(kp_call *call KP_EACH(KP_M_DECL, __VA_ARGS__));            \
    static int kpi_##name_(kp_call *call)                                                   \
    { KP_R_##ret(kpb_##name_(call KP_EACH(KP_M_ARG, __VA_ARGS__))); }                        \
    static const kp_param kpp_##name_[] = { KP_EACH(KP_M_DESC, __VA_ARGS__) { .name = NULL } }; \
    static const kp_function kpf_##name_ = {                                                \
        .size = sizeof(kp_function), .flags = (fl) | KP_FL_##ret, .name = #name_,           \
        .description = KP_FIRST(__VA_ARGS__), .params = kpp_##name_,                        \
        .param_count = KP_NARG(__VA_ARGS__), .param_stride = sizeof(kp_param),              \
        KP_RETURNS_ returns_, .invoke = kpi_##name_ };                                     \
    static KP_C_##ret kpb_##name_(KP_UNUSED kp_call *call KP_EACH(KP_M_DECL, __VA_ARGS__))

#define KP_CHOICES(...) (const char *const[]){ __VA_ARGS__, NULL }
#define KP_M_FREF(i, f) &kpf_##f,
#define KP_FUNCTIONS(...) (const kp_function *const[]){ KP_EACH(KP_M_FREF, ~, __VA_ARGS__) NULL }
#define KP_CONFIG(...) \
    .config = (const kp_param[]){ KP_EACH(KP_M_DESC, ~, __VA_ARGS__) { .name = NULL } }, \
    .config_count = KP_NARG(~, __VA_ARGS__), .config_stride = sizeof(kp_param)

/* ELF note: the loader can refuse a foreign file before any of its code runs. */
#if defined(__ELF__) && !defined(KP_STATIC_NAME)
typedef struct kp_elf_note { uint32_t namesz, descsz, type; char name[8]; uint32_t desc[4]; } kp_elf_note;
#define KP_NOTE static const kp_elf_note kp_note_                                            \
    __attribute__((used, section(".note.kernel.plugin"), aligned(4))) =                      \
    { 8, 16, 1, "kernel", { KP_EPOCH, KP_MINOR, KP_NEEDS_MINOR, (uint32_t)sizeof(void *) } };
#else
#define KP_NOTE
#endif
#ifdef KP_STATIC_NAME
#define KP_ENTRY_NAME KP_CAT(kernel_plugin_v1_, KP_STATIC_NAME)
#else
#define KP_ENTRY_NAME kernel_plugin_v1
#endif
#ifdef __cplusplus
#define KP_EXTERN_C extern "C"
#else
#define KP_EXTERN_C
#endif
#define KP_MODULE(...)                                                                       \
    static const kp_plugin *const kp_plugins_[] = { __VA_ARGS__, NULL };                     \
    static const kp_module kp_module_ = { sizeof(kp_module), KP_MINOR, KP_NEEDS_MINOR, 0u, kp_plugins_ }; \
    KP_NOTE                                                                                  \
    KP_EXTERN_C KP_EXPORT const kp_module *KP_ENTRY_NAME(const kp_host *host);               \
    KP_EXTERN_C KP_EXPORT const kp_module *KP_ENTRY_NAME(const kp_host *host) { (void)host; return &kp_module_; } \
    struct kp_semicolon_
#define KP_PLUGIN_EX(...)                                                                    \
    static const kp_plugin kp_plugin_ = { .size = sizeof(kp_plugin), __VA_ARGS__ };          \
    KP_MODULE(&kp_plugin_)
#define KP_PLUGIN(name_, version_, description_, ...)                                        \
    KP_PLUGIN_EX(.name = name_, .version = version_, .description = description_,            \
                 .functions = KP_FUNCTIONS(__VA_ARGS__))

/* clang-format on */
#endif /* KERNEL_PLUGIN_H */
