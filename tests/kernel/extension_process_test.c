/* kernel.process/1: programs that are started, heard, limited in time and ended. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/probe.h"

typedef struct program {
    const probe_t *probe;
    const char *argv[6];
    kp_process_options options;
    kp_process *process;
    int64_t pid;
    int status; /* of start() */
    char error[256];
    char output[2][1024];
    size_t sizes[2];
    size_t total;
    uint64_t grace_ms;
    bool stops_at_output; /* stop() when the first output comes */
    int exits;
    kp_process_exit exit;
    latch_t heard;
    latch_t done;
} program_t;

static void on_output(void *arg, kp_process *process, uint32_t stream, const void *data,
                      size_t size)
{
    program_t *program = arg;
    size_t at = program->sizes[stream - 1];
    size_t room = sizeof(program->output[0]) - 1 - at;

    program->total += size;
    if (size > room) {
        size = room;
    }
    memcpy(program->output[stream - 1] + at, data, size);
    program->sizes[stream - 1] = at + size;
    if (program->stops_at_output) {
        program->stops_at_output = false;
        program->probe->process->stop(program->probe->process, process, program->grace_ms);
    }
    latch_open(&program->heard);
}

static void on_exit_of(void *arg, kp_process *process, const kp_process_exit *how)
{
    program_t *program = arg;

    (void)process;
    program->exits++;
    program->exit = *how;
    latch_open(&program->done);
}

static void start(void *data)
{
    program_t *program = data;
    const kp_process_table *table = program->probe->process;

    program->options.size = sizeof(program->options);
    program->options.argv = program->argv;
    program->options.on_exit = on_exit_of;
    program->options.arg = program;
    program->status = table->start(table, program->probe->instance, &program->options,
                                   &program->process, program->error, sizeof(program->error));
    if (program->status == KP_OK) {
        program->pid = table->pid(table, program->process);
    }
}

static void stop(void *data)
{
    program_t *program = data;

    program->probe->process->stop(program->probe->process, program->process, program->grace_ms);
}

typedef struct scene {
    fixture_t f;
    probe_t probe;
    program_t program;
} scene_t;

/* A shell that runs `script`, and is heard. */
static void scene_begin(scene_t *scene, const char *script)
{
    *scene = (scene_t){.f = fixture_new(), .probe = PROBE_INIT};
    probe_add(&scene->probe, &scene->f, "probe");
    scene->program = (program_t){.probe = &scene->probe,
                                 .argv = {"/bin/sh", "-c", script},
                                 .heard = LATCH_INIT,
                                 .done = LATCH_INIT};
    scene->program.options.on_output = on_output;
}

static void scene_run(scene_t *scene)
{
    probe_run(&scene->probe, start, &scene->program);
    CHECK_EQ(scene->program.status, KP_OK);
    latch_wait(&scene->program.done);
}

static void scene_end(scene_t *scene)
{
    fixture_free(&scene->f);
    CHECK(scene->program.exits <= 1);
}

/* ---- how it ends ---- */

static void output_and_exit_code_are_reported(void)
{
    scene_t scene;

    scene_begin(&scene, "echo out; echo err >&2; exit 7");
    scene_run(&scene);
    CHECK_STR(scene.program.output[0], "out\n");
    CHECK_STR(scene.program.output[1], "err\n");
    CHECK_EQ(scene.program.exit.status, KP_OK);
    CHECK_EQ(scene.program.exit.exit_code, 7);
    CHECK_EQ(scene.program.exit.signal, 0);
    CHECK_EQ(scene.program.exit.size, sizeof(kp_process_exit));
    scene_end(&scene);
}

static void signal_that_ended_it_is_reported(void)
{
    scene_t scene;

    scene_begin(&scene, "kill -SEGV $$");
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.status, KP_OK);
    CHECK_EQ(scene.program.exit.exit_code, -1);
    CHECK_EQ(scene.program.exit.signal, SIGSEGV);
    scene_end(&scene);
}

static void program_that_is_not_there_is_refused_with_a_text(void)
{
    static const char *const names[] = {"/nowhere/at/all", "no-such-program-of-ours"};

    for (int i = 0; i < 2; i++) {
        scene_t scene;

        scene_begin(&scene, "");
        scene.program.argv[0] = names[i];
        probe_run(&scene.probe, start, &scene.program);
        CHECK_EQ(scene.program.status, KP_E_NOT_FOUND);
        CHECK_STR_CONTAINS(scene.program.error, names[i]);
        CHECK(scene.program.process == NULL);
        scene_end(&scene);
        CHECK_EQ(scene.program.exits, 0);
    }
}

static void program_is_found_in_the_path(void)
{
    scene_t scene;

    scene_begin(&scene, "");
    scene.program.argv[0] = "true";
    scene.program.argv[1] = NULL;
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.exit_code, 0);
    scene_end(&scene);
}

static void start_elsewhere_than_on_the_loop_thread_is_refused(void)
{
    scene_t scene;

    scene_begin(&scene, "true");
    start(&scene.program);
    CHECK_EQ(scene.program.status, KP_E_INVALID);
    scene_end(&scene);
}

/* ---- what it begins with ---- */

static void input_is_written_and_ends(void)
{
    scene_t scene;
    static char input[300000]; /* more than a pipe holds */

    memset(input, 'x', sizeof(input));
    scene_begin(&scene, "wc -c");
    scene.program.options.input = input;
    scene.program.options.input_len = sizeof(input);
    scene_run(&scene);
    CHECK_EQ(strtol(scene.program.output[0], NULL, 10), 300000);
    scene_end(&scene);
}

static void program_that_does_not_read_its_input_does_no_harm(void)
{
    scene_t scene;
    static char input[300000];

    scene_begin(&scene, "exec <&-; exit 3");
    scene.program.options.input = input;
    scene.program.options.input_len = sizeof(input);
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.exit_code, 3);
    scene_end(&scene);
}

static void without_input_it_reads_the_end_of_file(void)
{
    scene_t scene;

    scene_begin(&scene, "cat; echo over");
    scene_run(&scene);
    CHECK_STR(scene.program.output[0], "over\n");
    scene_end(&scene);
}

static void environment_and_directory_are_the_given_ones(void)
{
    scene_t scene;
    static const char *const environment[] = {"A=1", "PATH=/usr/bin:/bin", NULL};

    scene_begin(&scene, "echo $A $HOME; pwd");
    scene.program.options.envp = environment;
    scene.program.options.cwd = "/usr";
    scene_run(&scene);
    CHECK_STR(scene.program.output[0], "1\n/usr\n");
    scene_end(&scene);
}

static void it_has_no_descriptor_but_three_and_no_signal_blocked(void)
{
    scene_t scene;
    int kept = dup(0); /* without close-on-exec */

    scene_begin(&scene, "ls /proc/self/fd; grep SigBlk /proc/self/status; trap '' PIPE; "
                        "grep SigIgn /proc/$$/status");
    signal(SIGPIPE, SIG_IGN);
    scene_run(&scene);
    signal(SIGPIPE, SIG_DFL);
    CHECK_STR_CONTAINS(scene.program.output[0], "0\n1\n2\n3\nSigBlk:\t0000000000000000\n");
    close(kept);
    scene_end(&scene);
}

static void closed_standard_descriptors_do_no_harm(void)
{
    scene_t scene;
    int kept[3];

    scene_begin(&scene, "cat; echo err >&2");
    scene.program.options.input = "in\n";
    scene.program.options.input_len = 3;
    fflush(NULL);
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
        close(i);
    }
    probe_run(&scene.probe, start, &scene.program);
    if (scene.program.status == KP_OK) {
        latch_wait(&scene.program.done);
    }
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    CHECK_EQ(scene.program.status, KP_OK);
    CHECK_STR(scene.program.output[0], "in\n");
    CHECK_STR(scene.program.output[1], "err\n");
    scene_end(&scene);
}

/* ---- its end, by force ---- */

static bool is_gone(void *data)
{
    const pid_t *pid = data;
    char path[64];
    char state[256] = "";
    FILE *file;

    if (kill(*pid, 0) != 0 && errno == ESRCH) {
        return true;
    }
    /* a zombie whose parent is slow to notice is gone, too */
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)*pid);
    file = fopen(path, "r");
    if (file == NULL) {
        return true;
    }
    (void)fgets(state, sizeof(state), file);
    fclose(file);
    return strstr(state, ") Z ") != NULL;
}

static pid_t grandchild_of(const program_t *program)
{
    return (pid_t)strtol(program->output[0], NULL, 10);
}

static void deadline_kills_the_whole_group(void)
{
    scene_t scene;
    pid_t grandchild;

    scene_begin(&scene, "sleep 600 & echo $!; wait");
    scene.program.options.timeout_ms = 300;
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.status, KP_E_TIMEOUT);
    CHECK_EQ(scene.program.exit.signal, SIGKILL);
    grandchild = grandchild_of(&scene.program);
    CHECK(grandchild > 0);
    wait_until(is_gone, &grandchild, "what the program started is gone");
    scene_end(&scene);
}

static void stop_without_grace_kills_the_whole_group(void)
{
    scene_t scene;
    pid_t grandchild;

    scene_begin(&scene, "trap '' TERM; sleep 600 & echo $!; wait");
    scene.program.stops_at_output = true;
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.status, KP_E_CANCELLED);
    CHECK_EQ(scene.program.exit.signal, SIGKILL);
    grandchild = grandchild_of(&scene.program);
    wait_until(is_gone, &grandchild, "what the program started is gone");
    scene_end(&scene);
}

static void stop_with_grace_lets_it_end_by_itself(void)
{
    scene_t scene;

    scene_begin(&scene, "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done");
    scene.program.stops_at_output = true;
    scene.program.grace_ms = FIXTURE_WAIT_MS;
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.status, KP_E_CANCELLED);
    CHECK_EQ(scene.program.exit.exit_code, 5);
    CHECK_STR_CONTAINS(scene.program.output[0], "bye");
    scene_end(&scene);
}

static void grace_is_over_for_one_that_does_not_listen(void)
{
    scene_t scene;

    scene_begin(&scene, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
    scene.program.stops_at_output = true;
    scene.program.grace_ms = 50;
    scene_run(&scene);
    CHECK_EQ(scene.program.exit.status, KP_E_CANCELLED);
    CHECK_EQ(scene.program.exit.signal, SIGKILL);
    scene_end(&scene);
}

static void quiet_program_is_stopped_too(void)
{
    scene_t scene;

    scene_begin(&scene, "exec sleep 600");
    scene.program.options.on_output = NULL;
    probe_run(&scene.probe, start, &scene.program);
    CHECK_EQ(scene.program.status, KP_OK);
    CHECK(scene.program.pid > 0);
    probe_run(&scene.probe, stop, &scene.program);
    latch_wait(&scene.program.done);
    CHECK_EQ(scene.program.exit.status, KP_E_CANCELLED);
    scene_end(&scene);
}

/* ---- floods ---- */

static void nothing(void *data)
{
    (void)data;
}

static void flood_of_output_leaves_the_loop_thread_to_others(void)
{
    scene_t scene;

    scene_begin(&scene, "exec yes");
    probe_run(&scene.probe, start, &scene.program);
    CHECK_EQ(scene.program.status, KP_OK);
    latch_wait(&scene.program.heard);
    for (int i = 0; i < 20; i++) {
        probe_run(&scene.probe, nothing, NULL);
    }
    probe_run(&scene.probe, stop, &scene.program);
    latch_wait(&scene.program.done);
    CHECK(scene.program.total > 0);
    scene_end(&scene);
}

/* What is left in the pipe is read; one that the program left behind does not hold it up. */
static void output_of_a_program_is_whole_when_it_ends(void)
{
    scene_t scene;

    scene_begin(&scene, "head -c 60000 /dev/zero; (sleep 600; echo late) & echo $! >&2; exit 0");
    scene_run(&scene);
    CHECK_EQ(scene.program.total - scene.program.sizes[1], 60000);
    kill((pid_t)strtol(scene.program.output[1], NULL, 10), SIGKILL);
    scene_end(&scene);
}

/* ---- the host dies ---- */

static void lifeline_ends_with_the_process_that_holds_it(void)
{
    int told[2];
    int64_t pid = 0;
    pid_t host;
    pid_t orphan;

    CHECK(pipe(told) == 0);
    fflush(NULL);
    host = fork();
    if (host == 0) {
        scene_t scene;

        scene_begin(&scene, "echo ready; cat");
        scene.program.options.flags = KP_PROCESS_LIFELINE;
        probe_run(&scene.probe, start, &scene.program);
        latch_wait(&scene.program.heard);
        if (write(told[1], &scene.program.pid, sizeof(scene.program.pid)) < 0) {
            _exit(1);
        }
        raise(SIGKILL); /* without a word */
    }
    CHECK_EQ(read(told[0], &pid, sizeof(pid)), sizeof(pid));
    CHECK_EQ(waitpid(host, NULL, 0), host);
    orphan = (pid_t)pid;
    wait_until(is_gone, &orphan, "the program noticed that its host died");
    close(told[0]);
    close(told[1]);
}

static void program_with_a_lifeline_lives_as_long_as_its_host(void)
{
    scene_t scene;

    scene_begin(&scene, "echo ready; cat; echo over");
    scene.program.options.flags = KP_PROCESS_LIFELINE;
    probe_run(&scene.probe, start, &scene.program);
    latch_wait(&scene.program.heard);
    CHECK_EQ(scene.program.exits, 0);
    probe_run(&scene.probe, stop, &scene.program);
    latch_wait(&scene.program.done);
    CHECK_EQ(scene.program.exit.status, KP_E_CANCELLED);
    CHECK(strstr(scene.program.output[0], "over") == NULL);
    scene_end(&scene);
}

/* ---- many ---- */

#define PROGRAMS 20

static void many_programs_leave_no_descriptor_and_no_zombie(void)
{
    static program_t programs[PROGRAMS];
    scene_t scene;
    int before = 0;

    scene_begin(&scene, "true");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PROGRAMS; i++) {
            programs[i] = scene.program;
            programs[i].argv[2] = i % 2 == 0 ? "echo out; exit 1" : "kill -TERM $$";
            probe_run(&scene.probe, start, &programs[i]);
            CHECK_EQ(programs[i].status, KP_OK);
        }
        for (int i = 0; i < PROGRAMS; i++) {
            latch_wait(&programs[i].done);
            CHECK_EQ(i % 2 == 0 ? programs[i].exit.exit_code : programs[i].exit.signal,
                     i % 2 == 0 ? 1 : SIGTERM);
        }
        probe_run(&scene.probe, nothing, NULL);
        if (round == 0) {
            before = descriptor_count();
        }
    }
    CHECK_EQ(descriptor_count(), before);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    scene_end(&scene);
}

static void stop_in_destroy(void *data)
{
    scene_t *scene = data;

    CHECK_EQ(
        scene->probe.loop->post(scene->probe.loop, scene->probe.instance, stop, &scene->program),
        KP_OK);
}

static void programs_that_destroy_stops_are_waited_for(void)
{
    scene_t scene;

    scene_begin(&scene, "exec sleep 600");
    scene.probe.destroy = stop_in_destroy;
    scene.probe.data = &scene;
    probe_run(&scene.probe, start, &scene.program);
    CHECK_EQ(scene.program.status, KP_OK);
    CHECK_EQ(kernel_remove_plugin(scene.probe.plugin, NULL), KERNEL_OK);
    CHECK_EQ(scene.program.exits, 1);
    scene_end(&scene);
}

TESTS(TEST(output_and_exit_code_are_reported), TEST(signal_that_ended_it_is_reported),
      TEST(program_that_is_not_there_is_refused_with_a_text), TEST(program_is_found_in_the_path),
      TEST(start_elsewhere_than_on_the_loop_thread_is_refused), TEST(input_is_written_and_ends),
      TEST(program_that_does_not_read_its_input_does_no_harm),
      TEST(without_input_it_reads_the_end_of_file),
      TEST(environment_and_directory_are_the_given_ones),
      TEST(it_has_no_descriptor_but_three_and_no_signal_blocked),
      TEST(closed_standard_descriptors_do_no_harm), TEST(deadline_kills_the_whole_group),
      TEST(stop_without_grace_kills_the_whole_group), TEST(stop_with_grace_lets_it_end_by_itself),
      TEST(grace_is_over_for_one_that_does_not_listen), TEST(quiet_program_is_stopped_too),
      TEST(flood_of_output_leaves_the_loop_thread_to_others),
      TEST(output_of_a_program_is_whole_when_it_ends),
      TEST(lifeline_ends_with_the_process_that_holds_it),
      TEST(program_with_a_lifeline_lives_as_long_as_its_host),
      TEST(many_programs_leave_no_descriptor_and_no_zombie),
      TEST(programs_that_destroy_stops_are_waited_for))
