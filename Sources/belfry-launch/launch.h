// What the parts of belfry-launch share.

#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum {
    EXIT_USAGE_ERROR = 64,
    EXIT_CANNOT_EXECUTE = 126,
    EXIT_NO_PROGRAM = 127,
};

// main.c

int run_command(char **words);
int detach_command(char **words);

// Says what is wrong with `word` and how the program is used; returns the exit status for it.
int usage_error(const char *what, const char *word);

bool parse_seconds(const char *text, int *milliseconds);
bool parse_number(const char *text, int base, long long limit, long long *number);

// process.c

// Why a program did not start: `step` is what failed ("" for exec itself), `error` an errno, 0 for none.
struct failure {
    const char *step;
    int error;
};

// Opens /dev/null where 0, 1 or 2 is closed, so that nothing opened later takes their place.
void fill_standard_descriptors(void);

// Closes every descriptor from `first` on but those in the sorted list `kept`.
void close_from(int first, const int *kept, int kept_count);

// Gives every signal its default meaning: the hub ignores some, and exec hands that on.
void reset_signals(void);

// Becomes the program, found on PATH; waits up to a second for one that is open for writing. Returns only when
// that failed, with errno. Fit for a vforked child.
void execute(char *const *program);

// Says on stderr that the program cannot be started and returns the exit status for it.
int cannot_start(const char *program, struct failure failure);

// tree.c

// The program that `run` started, and how it ended (a wait status) once it has.
struct plugin {
    pid_t pid;
    int status;
    bool has_ended;
};

// Collects every process that has ended already. False when no child is left.
bool reap_ended(struct plugin *plugin);

// Sends SIGTERM to every descendant, whatever session or group it hides in, and wakes it to hear it.
void ask_tree_to_end(void);

// Kills every descendant and waits until none is left.
void kill_tree(struct plugin *plugin);

// What a tree has in memory.
struct footprint {
    long long bytes;
    int processes;
};

// The sum over all descendants. `is_exact` counts a page that several share once; else it is counted for
// each of them, which is never less.
struct footprint tree_footprint(bool is_exact);

// memory.c

// A limit on the memory of the tree, and what holds it.
struct memory {
    long long limit;  // bytes, -1 for none
    bool is_over;
    struct footprint seen;  // when it went over; no processes where a cgroup held it
    int members;  // where a process writes 0 to come under the limit, or -1
    int events;  // poll() tells with POLLPRI that the kernel killed for the limit; or -1
    int look_interval;  // milliseconds from one look to the next, 0 for none
    int directory;  // the cgroup, or -1
    char path[2200];  // the cgroup that is ours to remove when `members` is there
};

// Chooses what holds a limit of `bytes` (-1: none) and sets it up. To be called before the program is started.
void limit_memory(struct memory *memory, long long bytes);

bool is_over_limit(struct memory *memory);

// Says on stderr what went over which limit. The hub reads the first words of it.
void explain_limit(const struct memory *memory);

// Removes what was set up, once nothing of the tree is left.
void release_memory(struct memory *memory);
