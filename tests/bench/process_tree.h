/*
 * process_tree.h - the processes below one, and what they hold.
 *
 * For benchmarks: what must not fail ends the program with exit status 2.
 */
#ifndef BENCH_PROCESS_TREE_H
#define BENCH_PROCESS_TREE_H

#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_TREE_MAX = 4096 };

typedef struct process_tree {
    size_t count;
    pid_t pids[PROCESS_TREE_MAX]; /* parents before their children */
} process_tree_t;

/* Fill in all processes that descend from `root`, without itself. */
void process_tree_read(process_tree_t *tree, pid_t root);

/* Memory of all of them, in KiB: a page that several processes share counts for each in part. */
double process_tree_share_kib(const process_tree_t *tree);

/* Of one process, in KiB: what is in memory now, and the most that was since
 * process_forget_peak(). */
double process_resident_kib(pid_t pid);
double process_peak_kib(pid_t pid);
void process_forget_peak(pid_t pid);

/* How many descriptors a process has open. */
double process_descriptors(pid_t pid);

#endif /* BENCH_PROCESS_TREE_H */
