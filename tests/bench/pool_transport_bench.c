/*
 * What a round trip costs an ordinary client, which uses libcurl and keeps its connection:
 * over the unix socket, over loopback TCP with a token, and over TLS; and what it costs to
 * begin a connection over TLS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "bench/bench.h"
#include "bench/pool_server.h"

enum { ROUND_TRIPS = 10000, HANDSHAKES = 200 };

typedef struct directory {
    char path[64];
    char certificate[80];
    char key[80];
} directory_t;

typedef struct way {
    const char *name;
    char url[192];
    const char *socket;      /* NULL: TCP */
    const char *certificate; /* to trust; NULL: none */
    struct curl_slist *headers;
} way_t;

/* ---- a certificate for this machine ---- */

static directory_t make_certificate(void)
{
    directory_t directory = {.path = "/tmp/semkernel-bench-XXXXXX"};
    double ns = 0;
    double peak_kib = 0;

    if (mkdtemp(directory.path) == NULL) {
        perror("cannot make a directory");
        exit(2);
    }
    snprintf(directory.certificate, sizeof(directory.certificate), "%s/cert.pem", directory.path);
    snprintf(directory.key, sizeof(directory.key), "%s/key.pem", directory.path);
    const char *const arguments[] = {"/usr/bin/openssl",
                                     "req",
                                     "-x509",
                                     "-newkey",
                                     "ec",
                                     "-pkeyopt",
                                     "ec_paramgen_curve:prime256v1",
                                     "-nodes",
                                     "-batch",

                                     "-days",
                                     "2",
                                     "-subj",
                                     "/CN=localhost",
                                     "-addext",
                                     "subjectAltName=DNS:localhost,IP:127.0.0.1",
                                     "-out",
                                     directory.certificate,
                                     "-keyout",
                                     directory.key,
                                     NULL};
    bench_program(arguments, &ns, &peak_kib);
    return directory;
}

static void remove_certificate(const directory_t *directory)
{
    (void)unlink(directory->certificate);
    (void)unlink(directory->key);
    (void)rmdir(directory->path);
}

/* ---- requests ---- */

static size_t drop(char *data, size_t size, size_t count, void *arg)
{
    (void)data;
    (void)arg;
    return size * count;
}

static CURL *make_client(const way_t *way)
{
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, way->url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, way->socket);
    curl_easy_setopt(curl, CURLOPT_CAINFO, way->certificate);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, way->headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{\"code\":\"print(1)\"}");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    return curl;
}

static double time_request(CURL *curl)
{
    long status = 0;
    double start = bench_now();
    CURLcode code = curl_easy_perform(curl);
    double ns = bench_now() - start;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status != 200) {
        fprintf(stderr, "a request failed: %s, status %ld\n", curl_easy_strerror(code), status);
        exit(2);
    }
    return ns;
}

static void measure_round_trips(bench_t *bench, const way_t *way)
{
    size_t count = bench_times(bench, ROUND_TRIPS);
    double *ns = calloc(count, sizeof(*ns));
    CURL *curl = make_client(way);
    char name[64];

    if (ns == NULL) {
        exit(2);
    }
    (void)time_request(curl);
    for (size_t i = 0; i < count; i++) {
        ns[i] = time_request(curl);
    }
    snprintf(name, sizeof(name), "round trip over %s, p50", way->name);
    bench_figure(bench, name, bench_percentile(ns, count, 0.5), BENCH_MS, 0.5);
    snprintf(name, sizeof(name), "round trip over %s, p99", way->name);
    bench_figure(bench, name, bench_percentile(ns, count, 0.99), BENCH_MS, 5);
    curl_easy_cleanup(curl);
    free(ns);
}

static void measure_handshakes(bench_t *bench, const way_t *way)
{
    size_t count = bench_times(bench, HANDSHAKES);
    double *ns = calloc(count, sizeof(*ns));

    if (ns == NULL) {
        exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        CURL *curl = make_client(way);

        ns[i] = time_request(curl);
        curl_easy_cleanup(curl);
    }
    bench_figure(bench, "first round trip of a connection over TLS, p50",
                 bench_percentile(ns, count, 0.5), BENCH_MS, 10);
    free(ns);
}

/* ---- the ways ---- */

/* Over TCP each request shows the token, which the server keeps in a file. */
static way_t way_over_tcp(const pool_server_t *server, const char *name, const char *certificate)
{
    way_t way = {.name = name, .certificate = certificate};
    char endpoint[64];
    char path[160];
    char header[192] = "Authorization: Bearer ";

    pool_server_copy(server, "tcp", endpoint, sizeof(endpoint));
    pool_server_copy(server, "tokenFile", path, sizeof(path));
    snprintf(way.url, sizeof(way.url),
             "%s/executions?api-version=2025-10-02-preview&identifier=transport", endpoint);
    FILE *file = fopen(path, "re");
    size_t length = strlen(header);
    if (file == NULL || fgets(header + length, (int)(sizeof(header) - length), file) == NULL) {
        perror(path);
        exit(2);
    }
    fclose(file);
    header[strcspn(header, "\n")] = '\0';
    way.headers = curl_slist_append(NULL, header);
    return way;
}

static way_t way_over_socket(const pool_server_t *server)
{
    way_t way = {.name = "the unix socket", .socket = server->socket};

    snprintf(way.url, sizeof(way.url),
             "http://localhost/executions?api-version=2025-10-02-preview&identifier=transport");
    return way;
}

static void measure_plain(bench_t *bench)
{
    static const char *const flags[] = {"--warm-min", "0", "--preimport", "none", "--tcp", NULL};
    pool_server_t server = pool_server_start(flags);
    way_t socket = way_over_socket(&server);
    way_t tcp = way_over_tcp(&server, "TCP", NULL);

    pool_server_introduce(bench, &server);
    measure_round_trips(bench, &socket);
    measure_round_trips(bench, &tcp);
    curl_slist_free_all(tcp.headers);
    pool_server_stop(&server);
}

static void measure_tls(bench_t *bench)
{
    directory_t directory = make_certificate();
    const char *const flags[] = {
        "--warm-min",          "0",         "--preimport", "none", "--tcp", "--tls-certificate",
        directory.certificate, "--tls-key", directory.key, NULL};
    pool_server_t server = pool_server_start(flags);
    way_t tls = way_over_tcp(&server, "TLS", directory.certificate);

    measure_round_trips(bench, &tls);
    measure_handshakes(bench, &tls);
    curl_slist_free_all(tls.headers);
    pool_server_stop(&server);
    remove_certificate(&directory);
}

int main(int argc, char **argv)
{
    bench_t bench = bench_begin(argc, argv);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    measure_plain(&bench);
    measure_tls(&bench);
    curl_global_cleanup();
    return bench_end(&bench);
}
