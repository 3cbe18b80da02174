/*
 * curl_home.h - libcurl, for the curl_*.c files alone.
 *
 * They are three subjects - all transfers together, one transfer, URLs - and the
 * texts of failures, hence not one file. What the rest of the folder sees of them
 * (engine.h, transfer.h, url.h) has no type of libcurl in it.
 */
#ifndef HTTP_CURL_HOME_PRIVATE_H
#define HTTP_CURL_HOME_PRIVATE_H

#include <stdbool.h>

#include <curl/curl.h>

#include "engine.h"
#include "failure.h"
#include "transfer.h"

/* ---- engine, for transfers ---- */

CURLM *http__engine_multi(http__engine_t *engine);
/* Between these two libcurl may call back, so nothing of it may be called. */
void http__engine_enter(http__engine_t *engine);
void http__engine_leave(http__engine_t *engine);
/* A socket for a connection was opened; false: it cannot be watched. */
bool http__engine_on_open(http__engine_t *engine, curl_socket_t fd);
/* CURLOPT_CLOSESOCKETFUNCTION: closes it. `data` is the engine, since connections outlive
 * transfers. */
int http__engine_on_close(void *data, curl_socket_t fd);

/* A transfer whose handle may be used again; NULL: none. */
http__transfer_t *http__engine_take_kept(http__engine_t *engine);
/* Keep it for that; false: there are enough. */
bool http__engine_keep(http__engine_t *engine, http__transfer_t *transfer);
const struct http__config *http__engine_config(const http__engine_t *engine);
/* The file of trusted certificates; NULL: libcurl knows other ways to them. */
const char *http__engine_ca_file(const http__engine_t *engine);

/* ---- transfers, for the engine ---- */

/* Has its request gone out on the connection that it has now? [thread: loop] */
bool http__transfer_is_sent(const http__transfer_t *transfer);
/* libcurl reports the end of a transfer. */
void http__transfer_on_end(http__transfer_t *transfer, CURLcode code);
/* A socket of the transfer cannot be watched. */
void http__transfer_on_watch_failed(http__transfer_t *transfer);
void http__transfer_free(http__transfer_t *transfer);

/* ---- failures ---- */

/* What a failure means. `detail` is libcurl's own text, `os_error` the last errno of the connection
 * or 0. */
void http__failure_of_curl(CURLcode code, const char *detail, long os_error,
                           http__failure_t *failure);

#endif /* HTTP_CURL_HOME_PRIVATE_H */
