/* From a name to a plugin's descriptors, or to a clear reason why not. */
#include "loader.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "place.h"
#include "support/check.h"
#include "support/fail_alloc.h"
#include "support/files.h"

/* ---- a loader whose log is kept ---- */

typedef struct fixture {
    kernel__loader_t *loader;
    kernel__log_t log;
    char lines[65536];
    size_t length;
    const char *paths[4];
} fixture_t;

/* The newest lines matter: a full page begins again. */
static void note_line(kernel_log_level_t level, const char *line, void *data)
{
    fixture_t *f = data;

    if (f->length + strlen(line) + 8 > sizeof(f->lines)) {
        f->length = 0;
    }
    f->length += (size_t)snprintf(f->lines + f->length, sizeof(f->lines) - f->length, "%d %s\n",
                                  (int)level, line);
}

/* Static, since it is large; one at a time. */
static fixture_t *fixture_new(const char *first, const char *second, const char *trust)
{
    static fixture_t fixture;
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;

    memset(&fixture, 0, sizeof(fixture));
    fixture.log = (kernel__log_t){.fn = note_line, .data = &fixture, .level = KERNEL_LOG_TRACE};
    fixture.paths[0] = first;
    fixture.paths[1] = second;
    options.plugin_paths = fixture.paths;
    options.trust = trust;
    fixture.loader = kernel__loader_new(&options, &fixture.log, &error);
    CHECK_STR(error.text, "");
    CHECK(fixture.loader != NULL);
    return &fixture;
}

static fixture_t *fixture_with_test_plugins(void)
{
    return fixture_new(TEST_PLUGIN_DIR, NULL, NULL);
}

static void fixture_free(fixture_t *f)
{
    kernel__loader_free(f->loader);
}

static kernel__loaded_t find(fixture_t *f, const char *type)
{
    kernel__loaded_t loaded;
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel_status_t status =
        kernel__loader_find(f->loader, KERNEL__LOADER_PLUGIN, type, &loaded, &error);

    CHECK_STR(error.text, "");
    CHECK_EQ(status, KERNEL_OK);
    CHECK(loaded.plugin != NULL);
    return loaded;
}

static void check_failure(fixture_t *f, const char *type, kernel_status_t wanted, const char *part)
{
    kernel__loaded_t loaded;
    kernel_error_t error = KERNEL_ERROR_INIT;

    CHECK_EQ(kernel__loader_find(f->loader, KERNEL__LOADER_PLUGIN, type, &loaded, &error), wanted);
    CHECK_EQ(error.status, wanted);
    CHECK_STR_CONTAINS(error.text, part);
    CHECK(loaded.plugin == NULL);
}

/* What the function `version` of the plugin "marker" returns, called without a kernel. */
static int64_t version_of(const kernel__loaded_t *loaded)
{
    kp_call call;

    memset(&call, 0, sizeof(call));
    CHECK_STR(loaded->plugin->functions[0]->name, "version");
    CHECK_EQ(loaded->plugin->functions[0]->invoke(&call), KP_OK);
    return call.result.as.integer;
}

/* ---- names ---- */

static void name_finds_a_module_in_the_search_path(void)
{
    fixture_t *f = fixture_with_test_plugins();
    kernel__loaded_t loaded = find(f, "calls");

    CHECK_STR(loaded.plugin->name, "calls");
    CHECK_STR(loaded.plugin->version, "1.2.3");
    CHECK_STR_CONTAINS(loaded.path, "/calls.so");
    CHECK_EQ(loaded.path[0], '/');
    CHECK_EQ(loaded.minor, KP_MINOR);
    fixture_free(f);
}

static void absolute_path_is_taken_as_it_is(void)
{
    fixture_t *f = fixture_new(NULL, NULL, NULL);

    CHECK_STR(find(f, TEST_PLUGIN_DIR "/calls.so").plugin->name, "calls");
    CHECK_STR(find(f, TEST_PLUGIN_DIR "/threads.so:counter").plugin->name, "counter");
    fixture_free(f);
}

static void type_of_several_is_said_behind_a_colon(void)
{
    fixture_t *f = fixture_with_test_plugins();

    CHECK_STR(find(f, "threads:threads").plugin->name, "threads");
    CHECK_STR(find(f, "threads:counter").plugin->name, "counter");
    CHECK_STR(find(f, "calls:calls").plugin->name, "calls");
    check_failure(f, "threads", KERNEL_E_INVALID, "for instance 'threads:threads'");
    check_failure(f, "threads", KERNEL_E_INVALID, "there are: threads, counter");
    check_failure(f, "threads:count", KERNEL_E_NOT_FOUND, "there are: threads, counter");
    check_failure(f, "calls:other", KERNEL_E_NOT_FOUND, "there are: calls");
    CHECK_EQ(kernel__loader_rejection_count(f->loader), 0);
    fixture_free(f);
}

static void relative_path_is_refused(void)
{
    fixture_t *f = fixture_with_test_plugins();

    check_failure(f, "./calls.so", KERNEL_E_INVALID, "give an absolute path");
    check_failure(f, "plugins/calls.so", KERNEL_E_INVALID, "the path is relative");
    fixture_free(f);
}

static void names_that_cannot_be_are_refused(void)
{
    fixture_t *f = fixture_with_test_plugins();
    char long_name[PATH_MAX + 10];

    check_failure(f, NULL, KERNEL_E_INVALID, "without a type");
    check_failure(f, "", KERNEL_E_INVALID, "a name is missing");
    check_failure(f, ":", KERNEL_E_INVALID, "a name is missing");
    check_failure(f, ":counter", KERNEL_E_INVALID, "a name is missing");
    check_failure(f, "threads:", KERNEL_E_INVALID, "a name is missing");
    memset(long_name, 'a', sizeof(long_name));
    long_name[300] = '\0';
    check_failure(f, long_name, KERNEL_E_INVALID, "too long");
    long_name[300] = 'a';
    long_name[0] = '/';
    long_name[sizeof(long_name) - 1] = '\0';
    check_failure(f, long_name, KERNEL_E_INVALID, "too long");
    fixture_free(f);
}

static void unknown_name_is_answered_with_what_there_is(void)
{
    fixture_t *f = fixture_with_test_plugins();
    const kernel_rejection_t *rejection = NULL;

    check_failure(f, "callz", KERNEL_E_NOT_FOUND, "did you mean 'calls'?");
    check_failure(f, "calls.so", KERNEL_E_NOT_FOUND, "the name goes without .so");
    check_failure(f, "zzzzzzzz", KERNEL_E_NOT_FOUND, "SEMKERNEL_PLUGIN_PATH");
    check_failure(f, "/no/such.so", KERNEL_E_NOT_FOUND, "there is no file /no");
    rejection = kernel__loader_rejection_at(f->loader, 2);
    CHECK_STR(rejection->path, "");
    CHECK_STR_CONTAINS(rejection->text, TEST_PLUGIN_DIR);
    CHECK_STR_CONTAINS(rejection->text, "/semkernel/plugins");
    rejection = kernel__loader_rejection_at(f->loader, 3);
    CHECK_STR(rejection->path, "/no/such.so");
    fixture_free(f);
}

static void service_is_called_a_service_and_sought_among_services(void)
{
    fixture_t *f = fixture_new(NULL, NULL, NULL);
    kernel__loaded_t loaded;
    kernel_error_t error = KERNEL_ERROR_INIT;

    CHECK_EQ(kernel__loader_find(f->loader, KERNEL__LOADER_SERVICE, "nothing", &loaded, &error),
             KERNEL_E_NOT_FOUND);
    CHECK_STR_CONTAINS(error.text, "cannot load service 'nothing'");
    CHECK_STR_CONTAINS(error.text, "/semkernel/services");
    CHECK(strstr(error.text, "/semkernel/plugins") == NULL);
    fixture_free(f);
}

static void type_of_semantic_kernel_is_an_alias(void)
{
    fixture_t *f = fixture_new(TEST_BUILD_DIR "/lib/semkernel/plugins", NULL, NULL);

    CHECK_STR(find(f, "MathPlugin").plugin->name, "math");
    CHECK(find(f, "MathPlugin").plugin == find(f, "math").plugin);
    fixture_free(f);
}

static void file_goes_before_an_alias(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "MathPlugin.so");
    fixture_t *f = fixture_new(directory.text, TEST_BUILD_DIR "/lib/semkernel/plugins", NULL);

    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    CHECK_STR(find(f, "MathPlugin").plugin->name, "marker");
    fixture_free(f);
    temp_dir_free(&directory);
}

/* ---- the search path ---- */

static void first_directory_wins_and_the_shadowed_file_is_logged(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "calls.so");
    fixture_t *f = fixture_new(directory.text, TEST_PLUGIN_DIR, NULL);

    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    CHECK_STR(find(f, "calls").plugin->name, "marker");
    CHECK_STR_CONTAINS(f->lines, "1 plugin 'calls': " TEST_PLUGIN_DIR "/calls.so is shadowed by ");
    fixture_free(f);
    temp_dir_free(&directory);
}

static void rejected_file_is_not_replaced_by_one_further_back(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "calls.so");
    fixture_t *f = fixture_new(directory.text, TEST_PLUGIN_DIR, NULL);

    file_write(path.text, "no plugin", 9);
    check_failure(f, "calls", KERNEL_E_ABI, path.text);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void environment_adds_directories_behind_those_of_the_host(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "calls.so");
    char list[PATH_MAX * 2];
    fixture_t *f = NULL;

    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    snprintf(list, sizeof(list), ":plugins:%s/:%s", directory.text, TEST_PLUGIN_DIR);
    CHECK_EQ(setenv("SEMKERNEL_PLUGIN_PATH", list, 1), 0);
    f = fixture_new(NULL, NULL, NULL);
    CHECK_STR(find(f, "calls").plugin->name, "marker");
    CHECK_STR(find(f, "slow").plugin->name, "slow");
    CHECK_STR_CONTAINS(f->lines, "3 SEMKERNEL_PLUGIN_PATH: the directory '' is ignored, since it "
                                 "is empty");
    CHECK_STR_CONTAINS(f->lines, "3 SEMKERNEL_PLUGIN_PATH: the directory 'plugins' is ignored, "
                                 "since it is relative");
    fixture_free(f);
    f = fixture_with_test_plugins();
    CHECK_STR(find(f, "calls").plugin->name, "calls");
    fixture_free(f);
    temp_dir_free(&directory);
}

static void relative_directory_of_the_host_is_an_error(void)
{
    static const char *const paths[] = {"/usr/lib", "plugins", NULL};
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__log_t log = {NULL, NULL, 0};

    options.plugin_paths = paths;
    CHECK(kernel__loader_new(&options, &log, &error) == NULL);
    CHECK_EQ(error.status, KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "directory 1 is 'plugins', expected an absolute path");
}

static void search_is_told_to_standard_error_when_asked_for(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "errors");
    int errors = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int before = dup(STDERR_FILENO);
    fixture_t *f = NULL;
    char *text = NULL;

    CHECK_EQ(setenv("SEMKERNEL_PLUGIN_DEBUG", "1", 1), 0);
    f = fixture_new(directory.text, TEST_PLUGIN_DIR, NULL);
    CHECK(dup2(errors, STDERR_FILENO) >= 0);
    find(f, "calls");
    check_failure(f, "not_elf", KERNEL_E_ABI, "");
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    text = file_read(path.text, NULL);
    CHECK_STR_CONTAINS(text, "semkernel: plugin 'calls': not ");
    CHECK_STR_CONTAINS(text, "semkernel: plugin 'calls': found " TEST_PLUGIN_DIR "/calls.so");
    CHECK_STR_CONTAINS(text, "semkernel: plugin 'calls': loaded ");
    CHECK_STR_CONTAINS(text, "not_elf.so is no kernel plugin");
    free(text);
    close(errors);
    close(before);
    fixture_free(f);
    temp_dir_free(&directory);
}

/* ---- files that must be refused ---- */

static void refused_files_say_why_and_run_none_of_their_code(void)
{
    static const struct {
        const char *module;
        kernel_status_t status;
        const char *part;
    } cases[] = {
        {"not_elf", KERNEL_E_ABI, "found a file that begins with other bytes than an ELF file"},
        {"script", KERNEL_E_ABI, "found a file that begins with #!, a script"},
        {"empty", KERNEL_E_ABI, "found a file of 0 bytes"},
        {"foreign", KERNEL_E_ABI, "found a shared object without the note of a plugin"},
        {"wrong_epoch", KERNEL_E_ABI, "is of plugin epoch 2, expected epoch 1"},
        {"needs_later", KERNEL_E_ABI,
         "needs version 1.9 of the plugin interface, this kernel has "
         "1.0: update the kernel"},
        {"wrong_pointer_size", KERNEL_E_ABI, "was built with pointers of 4 bytes, expected 8"},
    };
    file_path_t directory = temp_dir_new();
    file_path_t mark = file_in(directory.text, "mark");
    fixture_t *f = fixture_with_test_plugins();

    CHECK_EQ(setenv("TEST_MARKER", mark.text, 1), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_failure(f, cases[i].module, cases[i].status, cases[i].part);
        CHECK_EQ(access(mark.text, F_OK), -1);
    }
    find(f, "marker"); /* whose code runs: the mark would have been seen */
    CHECK_EQ(access(mark.text, F_OK), 0);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void modules_that_cannot_be_used_say_why(void)
{
    static const struct {
        const char *module;
        kernel_status_t status;
        const char *part;
    } cases[] = {
        {"undefined", KERNEL_E_ABI, "needs the symbol that_nobody_has, which none of"},
        {"missing_library", KERNEL_E_ABI, "needs the library libgone.so, which is not found"},
        {"no_entry", KERNEL_E_ABI, "exports no function kernel_plugin_v1"},
        {"null_module", KERNEL_E_ABI, "its entry answered NULL"},
        {"small_module", KERNEL_E_ABI,
         "its kp_module says that it has 16 bytes, expected at least "
         "24"},
        {"later_module", KERNEL_E_ABI, "needs version 1.9 of the plugin interface"},
        {"small_type", KERNEL_E_ABI, "type 1 says that it has 72 bytes, expected at least 80"},
        {"no_types", KERNEL_E_INVALID, "offers no type, expected at least one"},
        {"nameless", KERNEL_E_INVALID,
         "the descriptor of type 1 is broken: the type name is "
         "missing"},
        {"bad_name", KERNEL_E_INVALID, "the type name 'bad__name'"},
        {"same_names", KERNEL_E_INVALID, "has two types of the name 'entry'"},
    };
    fixture_t *f = fixture_with_test_plugins();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        file_path_t path = file_in(TEST_PLUGIN_DIR, cases[i].module);

        check_failure(f, cases[i].module, cases[i].status, cases[i].part);
        check_failure(f, cases[i].module, cases[i].status, path.text); /* twice: the same again */
        CHECK_EQ(kernel__loader_rejection_count(f->loader), i + 1);
    }
    fixture_free(f);
}

static void files_that_others_can_write_are_refused_unrun(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t mark = file_in(directory.text, "mark");
    file_path_t path = file_in(directory.text, "marker.so");
    fixture_t *f = fixture_new(directory.text, NULL, NULL);

    CHECK_EQ(setenv("TEST_MARKER", mark.text, 1), 0);
    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    CHECK_EQ(chmod(path.text, 0757), 0);
    check_failure(f, "marker", KERNEL_E_DENIED, "marker.so can be written by every user");
    CHECK_EQ(chmod(path.text, 0755), 0);
    CHECK_EQ(chmod(directory.text, 0707), 0);
    check_failure(f, "marker", KERNEL_E_DENIED, "can be written by every user (mode 0707)");
    CHECK_EQ(access(mark.text, F_OK), -1);
    CHECK_EQ(chmod(directory.text, 0700), 0);
    find(f, "marker");
    CHECK_EQ(access(mark.text, F_OK), 0);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void damaged_files_are_refused_unrun(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t mark = file_in(directory.text, "mark");
    file_path_t path = file_in(directory.text, "cut.so");
    fixture_t *f = fixture_new(directory.text, NULL, NULL);
    size_t size = 0;
    char *data = file_read(TEST_PLUGIN_DIR "/marker.so", &size);

    CHECK_EQ(setenv("TEST_MARKER", mark.text, 1), 0);
    CHECK(size > 8192);
    for (size_t kept = 16; kept < 8192; kept += 97) { /* the last pages to be mapped lie beyond */
        file_write(path.text, data, kept);
        check_failure(f, "cut", KERNEL_E_ABI, "cut.so is no kernel plugin: found ");
    }
    CHECK_EQ(access(mark.text, F_OK), -1);
    free(data);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void file_that_is_not_on_the_list_is_refused_unrun(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t mark = file_in(directory.text, "mark");
    fixture_t *f = fixture_new(TEST_PLUGIN_DIR, NULL, "{\"require_hash\":true}");

    CHECK_EQ(setenv("TEST_MARKER", mark.text, 1), 0);
    check_failure(f, "marker", KERNEL_E_DENIED, "is not in the list of trusted files");
    CHECK_EQ(access(mark.text, F_OK), -1);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void list_that_is_not_understood_makes_no_loader(void)
{
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__log_t log = {NULL, NULL, 0};

    options.trust = "{";
    CHECK(kernel__loader_new(&options, &log, &error) == NULL);
    CHECK_EQ(error.status, KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "option trust is not JSON");
}

/* ---- rejections ---- */

static void rejections_are_remembered_once_in_order_and_stay_where_they_are(void)
{
    fixture_t *f = fixture_with_test_plugins();
    const kernel_rejection_t *first = NULL;
    const char *text = NULL;

    CHECK(kernel__loader_rejection_at(f->loader, 0) == NULL);
    check_failure(f, "not_elf", KERNEL_E_ABI, "");
    first = kernel__loader_rejection_at(f->loader, 0);
    text = first->text;
    check_failure(f, "nothing_of_that_kind", KERNEL_E_NOT_FOUND, "");
    check_failure(f, "not_elf", KERNEL_E_ABI, "");
    kernel__loader_reject(f->loader, "/x/broken.so", KERNEL_E_INVALID, "its default is broken");
    CHECK_EQ(kernel__loader_rejection_count(f->loader), 3);
    CHECK(kernel__loader_rejection_at(f->loader, 0) == first);
    CHECK(first->text == text);
    CHECK_EQ(first->size, sizeof(*first));
    CHECK_EQ(first->status, KERNEL_E_ABI);
    CHECK_STR(first->path, TEST_PLUGIN_DIR "/not_elf.so");
    CHECK_STR_CONTAINS(first->text, "cannot load plugin 'not_elf'");
    CHECK_STR(kernel__loader_rejection_at(f->loader, 1)->path, "");
    CHECK_STR(kernel__loader_rejection_at(f->loader, 2)->path, "/x/broken.so");
    CHECK_STR(kernel__loader_rejection_at(f->loader, 2)->text, "its default is broken");
    CHECK_EQ(kernel__loader_rejection_at(f->loader, 2)->status, KERNEL_E_INVALID);
    CHECK(kernel__loader_rejection_at(f->loader, 3) == NULL);
    fixture_free(f);
}

/* ---- images ---- */

static void same_file_is_one_image_however_it_is_found(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t link = file_in(directory.text, "linked.so");
    fixture_t *f = fixture_new(TEST_PLUGIN_DIR, directory.text, NULL);
    const kp_plugin *plugin = find(f, "calls").plugin;

    CHECK_EQ(symlink(TEST_PLUGIN_DIR "/calls.so", link.text), 0);
    CHECK(find(f, "calls").plugin == plugin);
    CHECK(find(f, "linked").plugin == plugin);
    CHECK(find(f, TEST_PLUGIN_DIR "/calls.so").plugin == plugin);
    CHECK(find(f, TEST_PLUGIN_DIR "//./calls.so").plugin == plugin);
    fixture_free(f);
    f = fixture_with_test_plugins();
    CHECK(find(f, "calls").plugin == plugin);
    fixture_free(f);
    temp_dir_free(&directory);
}

static size_t open_descriptors(void)
{
    size_t count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void replaced_file_is_loaded_beside_the_old_one(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "marker.so");
    size_t descriptors = open_descriptors();
    fixture_t *f = fixture_new(directory.text, NULL, NULL);
    kernel__loaded_t generations[6];

    for (int i = 0; i < 6; i++) {
        file_copy(i % 2 == 0 ? TEST_PLUGIN_DIR "/marker.so" : TEST_PLUGIN_DIR "/marker_2.so",
                  path.text);
        generations[i] = find(f, "marker");
        CHECK(find(f, "marker").plugin == generations[i].plugin);
        CHECK_STR(generations[i].path, path.text);
        for (int j = 0; j < i; j++) {
            CHECK(generations[i].plugin != generations[j].plugin);
        }
    }
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(version_of(&generations[i]), i % 2 + 1);
    }
    fixture_free(f);
    CHECK_EQ(open_descriptors(), descriptors);
    temp_dir_free(&directory);
}

static void replaced_file_is_seen_by_other_kernels_too(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "marker.so");
    fixture_t *f = fixture_new(directory.text, NULL, NULL);
    kernel__loaded_t old;
    kernel__loaded_t new;

    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    old = find(f, "marker");
    fixture_free(f);
    file_copy(TEST_PLUGIN_DIR "/marker_2.so", path.text);
    f = fixture_new(directory.text, NULL, NULL);
    new = find(f, "marker");
    fixture_free(f);
    CHECK_EQ(version_of(&old), 1);
    CHECK_EQ(version_of(&new), 2);
    temp_dir_free(&directory);
}

static void file_with_a_new_time_is_a_new_image(void)
{
    const struct timespec times[] = {{1000000000, 0}, {1000000000, 0}};
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "marker.so");
    fixture_t *f = fixture_new(directory.text, NULL, NULL);
    const kp_plugin *plugin = NULL;

    file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
    plugin = find(f, "marker").plugin;
    CHECK_EQ(utimensat(AT_FDCWD, path.text, times, 0), 0);
    CHECK(find(f, "marker").plugin != plugin);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void mended_file_is_loaded(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "mended.so");
    fixture_t *f = fixture_new(directory.text, NULL, NULL);
    kernel__loaded_t loaded;

    file_copy(TEST_PLUGIN_DIR "/not_elf.so", path.text);
    check_failure(f, "mended", KERNEL_E_ABI, "is no kernel plugin");
    file_copy(TEST_PLUGIN_DIR "/undefined.so", path.text);
    check_failure(f, "mended", KERNEL_E_ABI, "that_nobody_has");
    file_copy(TEST_PLUGIN_DIR "/no_entry.so", path.text);
    check_failure(f, "mended", KERNEL_E_ABI, "exports no function");
    file_copy(TEST_PLUGIN_DIR "/small_module.so", path.text);
    check_failure(f, "mended", KERNEL_E_ABI, "16 bytes");
    file_copy(TEST_PLUGIN_DIR "/undefined.so", path.text); /* from a copy this time */
    check_failure(f, "mended", KERNEL_E_ABI, "that_nobody_has");
    file_copy(TEST_PLUGIN_DIR "/marker_2.so", path.text);
    loaded = find(f, "mended");
    CHECK_EQ(version_of(&loaded), 2);
    fixture_free(f);
    temp_dir_free(&directory);
}

typedef struct finder {
    fixture_t *f;
    pthread_barrier_t *start;
    const kp_plugin *found[3];
} finder_t;

static void *run_finder(void *data)
{
    finder_t *finder = data;
    kernel__loaded_t loaded;

    pthread_barrier_wait(finder->start);
    finder->found[0] = find(finder->f, "marker").plugin;
    finder->found[1] = find(finder->f, "threads:counter").plugin;
    finder->found[2] = find(finder->f, "slow").plugin;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(
            kernel__loader_find(finder->f->loader, KERNEL__LOADER_PLUGIN, "not_elf", &loaded, NULL),
            KERNEL_E_ABI);
    }
    return NULL;
}

static void threads_that_load_at_once_get_the_same_images(void)
{
    fixture_t *f = fixture_with_test_plugins();
    pthread_barrier_t start;
    pthread_t threads[8];
    finder_t finders[8];

    f->log.fn = NULL; /* the kept lines have no lock */
    pthread_barrier_init(&start, NULL, 8);
    for (size_t i = 0; i < 8; i++) {
        finders[i] = (finder_t){.f = f, .start = &start};
        CHECK_EQ(pthread_create(&threads[i], NULL, run_finder, &finders[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(memcmp(finders[i].found, finders[0].found, sizeof(finders[i].found)), 0);
    }
    CHECK_EQ(kernel__loader_rejection_count(f->loader), 1);
    pthread_barrier_destroy(&start);
    fixture_free(f);
}

/* ---- linked into the host ---- */

const kp_module *kernel_plugin_v1_math(const kp_host *host);

static const kp_module *answer_null(const kp_host *host)
{
    (void)host;
    return NULL;
}

static void registered_plugin_is_found_in_every_kernel(void)
{
    fixture_t *before = fixture_with_test_plugins();
    kernel_error_t error = KERNEL_ERROR_INIT;
    kernel__loaded_t loaded;

    CHECK_EQ(kernel_register_static("arithmetic", kernel_plugin_v1_math, &error), KERNEL_OK);
    loaded = find(before, "arithmetic");
    CHECK_STR(loaded.plugin->name, "math");
    CHECK_STR(loaded.path, "");
    CHECK(find(before, "arithmetic:math").plugin == loaded.plugin);
    check_failure(before, "arithmetic:other", KERNEL_E_NOT_FOUND, "there are: math");
    check_failure(before, "aritmetic", KERNEL_E_NOT_FOUND, "did you mean 'arithmetic'?");
    fixture_free(before);
}

static void registered_plugin_goes_before_files(void)
{
    fixture_t *f = fixture_with_test_plugins();

    CHECK_EQ(kernel_register_static("calls", kernel_plugin_v1_math, NULL), KERNEL_OK);
    CHECK_STR(find(f, "calls").plugin->name, "math");
    fixture_free(f);
}

static void plugin_cannot_be_registered_badly(void)
{
    kernel_error_t error = KERNEL_ERROR_INIT;

    CHECK_EQ(kernel_register_static("arithmetic", kernel_plugin_v1_math, NULL), KERNEL_OK);
    CHECK_EQ(kernel_register_static("arithmetic", kernel_plugin_v1_math, &error), KERNEL_E_EXISTS);
    CHECK_STR(error.text, "cannot register plugin type 'arithmetic': the name is taken");
    CHECK_EQ(kernel_register_static("bad-name", kernel_plugin_v1_math, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_register_static(NULL, kernel_plugin_v1_math, NULL), KERNEL_E_INVALID);
    CHECK_EQ(kernel_register_static("other", NULL, NULL), KERNEL_E_INVALID);
    error = (kernel_error_t)KERNEL_ERROR_INIT;
    CHECK_EQ(kernel_register_static("other", answer_null, &error), KERNEL_E_INVALID);
    CHECK_STR_CONTAINS(error.text, "cannot register plugin type other: its entry answered NULL");
}

/* ---- beside the library ---- */

static void program_beside_the_library_is_found(void)
{
    file_path_t bin = file_in(TEST_BUILD_DIR, "bin");
    file_path_t program = file_in(bin.text, "loader_test_program");
    char library[PATH_MAX];
    char path[PATH_MAX];

    CHECK(kernel__place_of_library(library)); /* this test, which contains it: build/tests */
    CHECK_STR_CONTAINS(library, "/tests");
    if (mkdir(bin.text, 0755) != 0 && access(bin.text, W_OK) != 0) {
        SKIP("the build tree belongs to somebody else");
    }
    CHECK(!kernel__loader_program("loader_test_program", path, sizeof(path)));
    file_write(program.text, "#!/bin/sh\n", 10);
    CHECK(!kernel__loader_program("loader_test_program", path, sizeof(path)));
    CHECK_EQ(chmod(program.text, 0755), 0);
    CHECK(kernel__loader_program("loader_test_program", path, sizeof(path)));
    CHECK_STR_CONTAINS(path, "/bin/loader_test_program");
    CHECK(strstr(path, "..") == NULL);
    CHECK(!kernel__loader_program("loader_test_program", path, 10));
    CHECK_EQ(chmod(program.text, 0757), 0);
    CHECK(!kernel__loader_program("loader_test_program", path, sizeof(path)));
    CHECK_EQ(unlink(program.text), 0);
}

/* ---- without memory ---- */

static void fail_allocations(void)
{
    static const sk_allocator_t failing = {fail_alloc_malloc, fail_alloc_realloc, fail_alloc_free};

    sk_set_allocator(&failing);
}

static void use_loader(void)
{
    static const char *const paths[] = {TEST_PLUGIN_DIR, NULL};
    kernel_options_t options = KERNEL_OPTIONS_INIT;
    kernel__log_t log = {NULL, NULL, 0};
    kernel__loaded_t loaded;
    kernel__loader_t *loader = NULL;

    options.plugin_paths = paths;
    options.trust = "{\"sha256\":{\"other\":"
                    "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}";
    loader = kernel__loader_new(&options, &log, NULL);
    if (loader == NULL) {
        CHECK(fail_alloc_happened());
        return;
    }
    CHECK_EQ(kernel__loader_find(loader, KERNEL__LOADER_PLUGIN, "calls", &loaded, NULL), KERNEL_OK);
    CHECK_EQ(kernel__loader_find(loader, KERNEL__LOADER_PLUGIN, "callz", &loaded, NULL),
             KERNEL_E_NOT_FOUND);
    CHECK_EQ(kernel__loader_find(loader, KERNEL__LOADER_PLUGIN, "not_elf", &loaded, NULL),
             KERNEL_E_ABI);
    CHECK(kernel__loader_rejection_count(loader) == 2 || fail_alloc_happened());
    kernel__loader_free(loader);
}

static void loader_survives_any_failing_allocation(void)
{
    fail_allocations();
    fail_alloc_each(use_loader);
}

/* Images stay for ever, so each attempt needs a file of its own. */
static void image_that_finds_no_memory_can_be_loaded_later(void)
{
    file_path_t directory = temp_dir_new();
    file_path_t path = file_in(directory.text, "marker.so");
    kernel_status_t status = KERNEL_E_NO_MEMORY;
    fixture_t *f = NULL;

    fail_allocations();
    f = fixture_new(directory.text, NULL, NULL);
    for (size_t n = 1; status == KERNEL_E_NO_MEMORY; n++) {
        kernel__loaded_t loaded;

        file_copy(TEST_PLUGIN_DIR "/marker.so", path.text);
        fail_alloc_at(n, FAIL_ALLOC_REST);
        status = kernel__loader_find(f->loader, KERNEL__LOADER_PLUGIN, "marker", &loaded, NULL);
        CHECK((status == KERNEL_OK) == !fail_alloc_happened());
        fail_alloc_at(0, FAIL_ALLOC_REST);
        CHECK(n > 1 || status == KERNEL_E_NO_MEMORY);
        CHECK(version_of(&(kernel__loaded_t){find(f, "marker").plugin, "", 0}) == 1);
    }
    CHECK_EQ(status, KERNEL_OK);
    fixture_free(f);
    temp_dir_free(&directory);
}

static void registration_that_finds_no_memory_can_be_repeated(void)
{
    kernel_status_t status = KERNEL_E_NO_MEMORY;

    fail_allocations();
    for (size_t n = 1; status == KERNEL_E_NO_MEMORY; n++) {
        fail_alloc_at(n, FAIL_ALLOC_ONE);
        status = kernel_register_static("arithmetic", kernel_plugin_v1_math, NULL);
        CHECK((status == KERNEL_OK) == !fail_alloc_happened());
    }
    CHECK_EQ(status, KERNEL_OK);
    CHECK_EQ(fail_alloc_live(), 2);
}

TESTS(TEST(name_finds_a_module_in_the_search_path), TEST(absolute_path_is_taken_as_it_is),
      TEST(type_of_several_is_said_behind_a_colon), TEST(relative_path_is_refused),
      TEST(names_that_cannot_be_are_refused), TEST(unknown_name_is_answered_with_what_there_is),
      TEST(service_is_called_a_service_and_sought_among_services),
      TEST(type_of_semantic_kernel_is_an_alias), TEST(file_goes_before_an_alias),
      TEST(first_directory_wins_and_the_shadowed_file_is_logged),
      TEST(rejected_file_is_not_replaced_by_one_further_back),
      TEST(environment_adds_directories_behind_those_of_the_host),
      TEST(relative_directory_of_the_host_is_an_error),
      TEST(search_is_told_to_standard_error_when_asked_for),
      TEST(refused_files_say_why_and_run_none_of_their_code),
      TEST(modules_that_cannot_be_used_say_why),
      TEST(files_that_others_can_write_are_refused_unrun), TEST(damaged_files_are_refused_unrun),
      TEST(file_that_is_not_on_the_list_is_refused_unrun),
      TEST(list_that_is_not_understood_makes_no_loader),
      TEST(rejections_are_remembered_once_in_order_and_stay_where_they_are),
      TEST(same_file_is_one_image_however_it_is_found),
      TEST(replaced_file_is_loaded_beside_the_old_one),
      TEST(replaced_file_is_seen_by_other_kernels_too), TEST(file_with_a_new_time_is_a_new_image),
      TEST(mended_file_is_loaded), TEST(threads_that_load_at_once_get_the_same_images),
      TEST(registered_plugin_is_found_in_every_kernel), TEST(registered_plugin_goes_before_files),
      TEST(plugin_cannot_be_registered_badly), TEST(program_beside_the_library_is_found),
      TEST(loader_survives_any_failing_allocation),
      TEST(image_that_finds_no_memory_can_be_loaded_later),
      TEST(registration_that_finds_no_memory_can_be_repeated))
