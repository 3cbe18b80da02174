/*
 * layout.c - where each member of the ABI's structs lies (LP64).
 *
 * Never run: compiling it is the test. A number that stood here in a release
 * never changes; a struct grows by new members behind the last one.
 */
/* Padding would make a member that is appended later lie inside an old size. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
#include <kernel/plugin.h>
#include <kernel/service.h>
#pragma GCC diagnostic pop

#include <kernel/kernel.h>

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has another size")
#define AT(type, member, offset)                                                                   \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SAME(name) _Static_assert((int)KERNEL_##name == (int)KP_##name, #name " has two numbers")

SIZE(kp_value, 24);
AT(kp_value, type, 0);
AT(kp_value, flags, 4);
AT(kp_value, as, 8);

SIZE(kp_bytes, 16);
AT(kp_bytes, ptr, 0);
AT(kp_bytes, len, 8);

SIZE(kp_attachment, 40);
AT(kp_attachment, size, 0);
AT(kp_attachment, flags, 4);
AT(kp_attachment, name, 8);
AT(kp_attachment, media_type, 16);
AT(kp_attachment, data, 24);
AT(kp_attachment, len, 32);

SIZE(kp_result, 80);
AT(kp_result, size, 0);
AT(kp_result, status, 4);
AT(kp_result, value, 8);
AT(kp_result, text, 32);
AT(kp_result, text_len, 40);
AT(kp_result, attachments, 48);
AT(kp_result, attachment_count, 56);
AT(kp_result, attachment_stride, 60);
AT(kp_result, error, 64);
AT(kp_result, detail, 72);

SIZE(kp_param, 64);
AT(kp_param, name, 0);
AT(kp_param, type, 8);
AT(kp_param, reserved0, 12);
AT(kp_param, description, 16);
AT(kp_param, dflt, 24);
AT(kp_param, env, 32);
AT(kp_param, choices, 40);
AT(kp_param, schema, 48);
AT(kp_param, flags, 56);
AT(kp_param, reserved1, 60);

SIZE(kp_function, 80);
AT(kp_function, size, 0);
AT(kp_function, flags, 4);
AT(kp_function, name, 8);
AT(kp_function, description, 16);
AT(kp_function, params, 24);
AT(kp_function, param_count, 32);
AT(kp_function, param_stride, 36);
AT(kp_function, returns, 40);
AT(kp_function, reserved0, 44);
AT(kp_function, returns_description, 48);
AT(kp_function, returns_schema, 56);
AT(kp_function, invoke, 64);
AT(kp_function, data, 72);

SIZE(kp_plugin, 80);
AT(kp_plugin, size, 0);
AT(kp_plugin, flags, 4);
AT(kp_plugin, name, 8);
AT(kp_plugin, version, 16);
AT(kp_plugin, description, 24);
AT(kp_plugin, functions, 32);
AT(kp_plugin, config, 40);
AT(kp_plugin, config_count, 48);
AT(kp_plugin, config_stride, 52);
AT(kp_plugin, create, 56);
AT(kp_plugin, destroy, 64);
AT(kp_plugin, extension, 72);

SIZE(kp_module, 24);
AT(kp_module, size, 0);
AT(kp_module, minor, 4);
AT(kp_module, needs_minor, 8);
AT(kp_module, flags, 12);
AT(kp_module, plugins, 16);

SIZE(kp_instance, 48);
AT(kp_instance, host, 0);
AT(kp_instance, self, 8);
AT(kp_instance, name, 16);
AT(kp_instance, plugin, 24);
AT(kp_instance, config, 32);
AT(kp_instance, config_count, 40);
AT(kp_instance, reserved0, 44);

SIZE(kp_call, 96);
AT(kp_call, host, 0);
AT(kp_call, instance, 8);
AT(kp_call, self, 16);
AT(kp_call, function, 24);
AT(kp_call, argv, 32);
AT(kp_call, argc, 40);
AT(kp_call, flags, 44);
AT(kp_call, status, 48);
AT(kp_call, reserved0, 52);
AT(kp_call, result, 56);
AT(kp_call, result_free, 80);
AT(kp_call, data, 88);

SIZE(kp_host, 104);
AT(kp_host, size, 0);
AT(kp_host, minor, 4);
AT(kp_host, alloc, 8);
AT(kp_host, fail, 16);
AT(kp_host, complete, 24);
AT(kp_host, emit, 32);
AT(kp_host, on_cancel, 40);
AT(kp_host, cancelled, 48);
AT(kp_host, time_left, 56);
AT(kp_host, log, 64);
AT(kp_host, extension, 72);
AT(kp_host, text, 80);
AT(kp_host, attach, 88);
AT(kp_host, on_drain, 96);

SIZE(kp_loop, 40);
AT(kp_loop, size, 0);
AT(kp_loop, reserved, 4);
AT(kp_loop, timer, 8);
AT(kp_loop, timer_stop, 16);
AT(kp_loop, post, 24);
AT(kp_loop, work, 32);

SIZE(kp_named, 32);
AT(kp_named, name, 0);
AT(kp_named, value, 8);

SIZE(kp_invoke_options, 32);
AT(kp_invoke_options, size, 0);
AT(kp_invoke_options, flags, 4);
AT(kp_invoke_options, timeout_ms, 8);
AT(kp_invoke_options, on_chunk, 16);
AT(kp_invoke_options, arg, 24);

SIZE(kp_invoke, 56);
AT(kp_invoke, size, 0);
AT(kp_invoke, reserved, 4);
AT(kp_invoke, start, 8);
AT(kp_invoke, start_json, 16);
AT(kp_invoke, cancel, 24);
AT(kp_invoke, release, 32);
AT(kp_invoke, call, 40);
AT(kp_invoke, call_json, 48);

SIZE(kp_credential, 16);
AT(kp_credential, size, 0);
AT(kp_credential, reserved, 4);
AT(kp_credential, token, 8);

SIZE(kp_http_header, 16);
AT(kp_http_header, name, 0);
AT(kp_http_header, value, 8);

SIZE(kp_http_part, 48);
AT(kp_http_part, name, 0);
AT(kp_http_part, filename, 8);
AT(kp_http_part, media_type, 16);
AT(kp_http_part, data, 24);
AT(kp_http_part, len, 32);
AT(kp_http_part, path, 40);

SIZE(kp_http_event, 72);
AT(kp_http_event, size, 0);
AT(kp_http_event, flags, 4);
AT(kp_http_event, event, 8);
AT(kp_http_event, event_len, 16);
AT(kp_http_event, data, 24);
AT(kp_http_event, data_len, 32);
AT(kp_http_event, id, 40);
AT(kp_http_event, id_len, 48);
AT(kp_http_event, fields, 56);
AT(kp_http_event, field_count, 64);

SIZE(kp_http_response, 72);
AT(kp_http_response, size, 0);
AT(kp_http_response, status, 4);
AT(kp_http_response, http_status, 8);
AT(kp_http_response, attempts, 12);
AT(kp_http_response, retry_after_ms, 16);
AT(kp_http_response, headers, 24);
AT(kp_http_response, header_count, 32);
AT(kp_http_response, body, 40);
AT(kp_http_response, body_len, 48);
AT(kp_http_response, error, 56);
AT(kp_http_response, flags, 64);
AT(kp_http_response, reserved, 68);

SIZE(kp_http_request, 184);
AT(kp_http_request, size, 0);
AT(kp_http_request, flags, 4);
AT(kp_http_request, call, 8);
AT(kp_http_request, method, 16);
AT(kp_http_request, url, 24);
AT(kp_http_request, unix_socket, 32);
AT(kp_http_request, headers, 40);
AT(kp_http_request, header_count, 48);
AT(kp_http_request, secret_headers, 56);
AT(kp_http_request, secret_header_count, 64);
AT(kp_http_request, body, 72);
AT(kp_http_request, body_len, 80);
AT(kp_http_request, parts, 88);
AT(kp_http_request, part_count, 96);
AT(kp_http_request, part_stride, 100);
AT(kp_http_request, download_path, 104);
AT(kp_http_request, connect_ms, 112);
AT(kp_http_request, first_byte_ms, 116);
AT(kp_http_request, idle_ms, 120);
AT(kp_http_request, total_ms, 124);
AT(kp_http_request, max_attempts, 128);
AT(kp_http_request, redirects, 132);
AT(kp_http_request, max_response, 136);
AT(kp_http_request, on_chunk, 144);
AT(kp_http_request, on_event, 152);
AT(kp_http_request, on_progress, 160);
AT(kp_http_request, on_done, 168);
AT(kp_http_request, arg, 176);

SIZE(kp_http, 40);
AT(kp_http, size, 0);
AT(kp_http, reserved, 4);
AT(kp_http, request, 8);
AT(kp_http, cancel, 16);
AT(kp_http, pause, 24);
AT(kp_http, resume, 32);

SIZE(kp_context, 16);
AT(kp_context, size, 0);
AT(kp_context, reserved, 4);
AT(kp_context, get, 8);

SIZE(kp_functions, 24);
AT(kp_functions, size, 0);
AT(kp_functions, reserved, 4);
AT(kp_functions, add, 8);
AT(kp_functions, remove, 16);

SIZE(kp_session_pool, 32);
AT(kp_session_pool, size, 0);
AT(kp_session_pool, flags, 4);
AT(kp_session_pool, endpoint, 8);
AT(kp_session_pool, unix_socket, 16);
AT(kp_session_pool, level, 24);

SIZE(kp_sessions, 16);
AT(kp_sessions, size, 0);
AT(kp_sessions, reserved, 4);
AT(kp_sessions, open, 8);

SIZE(kp_provider, 24);
AT(kp_provider, size, 0);
AT(kp_provider, reserved, 4);
AT(kp_provider, hold, 8);
AT(kp_provider, release, 16);

SIZE(kp_poll, 32);
AT(kp_poll, size, 0);
AT(kp_poll, reserved, 4);
AT(kp_poll, watch, 8);
AT(kp_poll, change, 16);
AT(kp_poll, unwatch, 24);

SIZE(kp_process_exit, 16);
AT(kp_process_exit, size, 0);
AT(kp_process_exit, status, 4);
AT(kp_process_exit, exit_code, 8);
AT(kp_process_exit, signal, 12);

SIZE(kp_process_options, 80);
AT(kp_process_options, size, 0);
AT(kp_process_options, flags, 4);
AT(kp_process_options, argv, 8);
AT(kp_process_options, envp, 16);
AT(kp_process_options, cwd, 24);
AT(kp_process_options, input, 32);
AT(kp_process_options, input_len, 40);
AT(kp_process_options, timeout_ms, 48);
AT(kp_process_options, on_output, 56);
AT(kp_process_options, on_exit, 64);
AT(kp_process_options, arg, 72);

SIZE(kp_process_table, 32);
AT(kp_process_table, size, 0);
AT(kp_process_table, reserved, 4);
AT(kp_process_table, start, 8);
AT(kp_process_table, pid, 16);
AT(kp_process_table, stop, 24);

SAME(OK);
SAME(E_INVALID);
SAME(E_NOT_FOUND);
SAME(E_EXISTS);
SAME(E_DENIED);
SAME(E_AUTH);
SAME(E_TIMEOUT);
SAME(E_CANCELLED);
SAME(E_BUSY);
SAME(E_UNAVAILABLE);
SAME(E_REMOTE);
SAME(E_LIMIT);
SAME(E_NO_MEMORY);
SAME(E_UNSUPPORTED);
SAME(E_INTERNAL);
SAME(E_CRASHED);
SAME(E_ABI);
SAME(E_WOULD_DEADLOCK);
SAME(E_DEPTH);

/* What exists for hosts alone lies beyond the numbers that belong to the ABI. */
#define NUMBER(name, number, text) +((number) > -100 ? 1 : 0)
_Static_assert(0 KERNEL_STATUS_LIST(NUMBER) == 1 - KP_E_DEPTH, "a host's status is an ABI number");

_Static_assert((int)KERNEL_TYPE_NULL == (int)KP_NULL, "NULL has two numbers");
_Static_assert((int)KERNEL_TYPE_BOOLEAN == (int)KP_BOOLEAN, "BOOLEAN has two numbers");
_Static_assert((int)KERNEL_TYPE_INTEGER == (int)KP_INTEGER, "INTEGER has two numbers");
_Static_assert((int)KERNEL_TYPE_NUMBER == (int)KP_NUMBER, "NUMBER has two numbers");
_Static_assert((int)KERNEL_TYPE_STRING == (int)KP_STRING, "STRING has two numbers");
_Static_assert((int)KERNEL_TYPE_OBJECT == (int)KP_OBJECT, "OBJECT has two numbers");
_Static_assert((int)KERNEL_TYPE_ARRAY == (int)KP_ARRAY, "ARRAY has two numbers");
_Static_assert((int)KERNEL_TYPE_BYTES == (int)KP_BYTES, "BYTES has two numbers");
_Static_assert((int)KERNEL_CHUNK_TEXT == (int)KP_EMIT_TEXT, "TEXT has two numbers");
_Static_assert((int)KERNEL_CHUNK_JSON == (int)KP_EMIT_JSON, "JSON has two numbers");
_Static_assert((int)KERNEL_CHUNK_BYTES == (int)KP_EMIT_BYTES, "BYTES has two numbers");
