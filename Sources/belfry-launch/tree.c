// The process tree below this process. As its subreaper we become the parent of every orphan in it, so
// a walk over parents in /proc finds them all, also those in other sessions and groups.

#define _GNU_SOURCE
#include "launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// One bit per process id that Linux can give (its PID_MAX_LIMIT): the descendants found by a walk.
// Memory is taken only for the pages of ids that are in use.
enum { HIGHEST_PID = 1 << 22 };
static unsigned char marks[HIGHEST_PID / 8 + 1];
static pid_t highest_mark;

static bool is_ours(pid_t pid) {
    return pid == getpid() || (pid > 0 && pid <= HIGHEST_PID && (marks[pid >> 3] >> (pid & 7) & 1));
}

static void mark(pid_t pid) {
    marks[pid >> 3] |= (unsigned char)(1 << (pid & 7));
    if (pid > highest_mark) highest_mark = pid;
}

static void forget_marks(void) {
    memset(marks, 0, (size_t)(highest_mark >> 3) + 1);
    highest_mark = 0;
}

struct entry {
    pid_t parent;
    char state;  // 'Z' and 'X' have ended
};

static bool look_up(pid_t pid, struct entry *entry) {
    char path[32], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size <= 0) return false;
    text[size] = 0;
    // "pid (name) state parent …", and the name may hold anything, parentheses too.
    char *after_name = strrchr(text, ')');
    return after_name && sscanf(after_name + 1, " %c %d", &entry->state, &entry->parent) == 2;
}

// Sends through a pidfd and looks again in between, so that an id which was given to a stranger since
// it was listed cannot be hit.
static bool deliver(pid_t pid, int signal) {
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (handle < 0) return errno == ENOSYS && kill(pid, signal) == 0;
    struct entry now;
    bool was_sent = look_up(pid, &now) && is_ours(now.parent)
        && syscall(SYS_pidfd_send_signal, handle, signal, NULL, 0) == 0;
    close(handle);
    return was_sent;
}

// What is done with a descendant that a walk found.
typedef void visit(pid_t pid, const struct entry *entry, void *context);

// Marks and visits descendants that no earlier pass of this walk saw. False when there were none.
static bool walk_once(DIR *proc, visit *visit, void *context) {
    bool found = false;
    struct dirent *listed;
    rewinddir(proc);
    while ((listed = readdir(proc))) {
        pid_t pid = atoi(listed->d_name);
        struct entry entry;
        if (pid <= 0 || pid > HIGHEST_PID || is_ours(pid) || !look_up(pid, &entry)) continue;
        if (!is_ours(entry.parent)) continue;
        mark(pid);
        found = true;
        if (entry.state != 'Z' && entry.state != 'X') visit(pid, &entry, context);
    }
    return found;
}

// A pass in order of ids misses a child whose id is lower than its parent's, and what is forked behind
// its back; so passes go on until one finds nobody new, or for `most` passes.
static void walk(visit *visit, void *context, int most) {
    DIR *proc = opendir("/proc");
    if (!proc) return;
    for (int pass = 0; pass < most && walk_once(proc, visit, context); pass++) {}
    closedir(proc);
    forget_marks();
}

struct reached {
    int signal;
    int children;  // of ours, so that only we can collect them
    int all;
};

static void signal_one(pid_t pid, const struct entry *entry, void *context) {
    struct reached *reached = context;
    if (!deliver(pid, reached->signal)) return;
    reached->all++;
    if (entry->parent == getpid()) reached->children++;
}

static struct reached signal_all(int signal, int most) {
    struct reached reached = {.signal = signal};
    walk(signal_one, &reached, most);
    return reached;
}

void ask_tree_to_end(void) {
    // A courtesy: who forks faster than this will be killed.
    enum { MOST_PASSES = 4 };
    signal_all(SIGTERM, MOST_PASSES);
    signal_all(SIGCONT, MOST_PASSES);
}

// Waits as waitpid does with `flags` and returns as it does.
static pid_t reap(struct plugin *plugin, int flags) {
    int status;
    pid_t pid;
    do pid = waitpid(-1, &status, flags);
    while (pid < 0 && errno == EINTR);
    if (pid == plugin->pid && !plugin->has_ended) {
        plugin->status = status;
        plugin->has_ended = true;
    }
    return pid;
}

bool reap_ended(struct plugin *plugin) {
    pid_t pid;
    do pid = reap(plugin, WNOHANG);
    while (pid > 0);
    return pid == 0;
}

// Kills our own children, whose ids nobody else can be given while we have not collected them. Returns
// how many there were that we may kill, the ended ones included; -1 where Linux does not list them.
static int kill_children(void) {
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    // A long list is read in part; the next call sees more.
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size < 0) return -1;
    text[size] = 0;
    int count = 0;
    char *number = text;
    for (char *space; (space = strchr(number, ' ')); number = space + 1)
        count += kill(atoi(number), SIGKILL) == 0;
    return count;
}

enum peeled { NOTHING_LEFT, SOME_KILLED, NONE_KILLED };

// Kills the tree from above: the children of who is killed become ours. That needs no look at the whole
// of /proc, and is quick enough for a process that flees by forking; it would lose against one that
// multiplies. `most` is how many generations it takes.
static enum peeled peel(struct plugin *plugin, int most) {
    enum peeled result = NONE_KILLED;
    for (int layer = 0; layer < most; layer++) {
        int count = kill_children();
        for (int i = 0; i < count; i++) {
            if (reap(plugin, 0) < 0) return NOTHING_LEFT;
        }
        if (!reap_ended(plugin)) return NOTHING_LEFT;
        if (count <= 0) break;
        result = SOME_KILLED;
    }
    return result;
}

void kill_tree(struct plugin *plugin) {
    // Processes that may not be signalled (setuid root) or not be seen (hidepid) must not hold us for ever.
    enum { MOST_VAIN_ROUNDS = 8, MOST_LAYERS = 2, MOST_PASSES = 16 };
    for (int vain = 0; vain < MOST_VAIN_ROUNDS; vain++) {
        if (!plugin->has_ended) kill(-plugin->pid, SIGKILL);
        enum peeled peeled = peel(plugin, MOST_LAYERS);
        if (peeled == NOTHING_LEFT) return;
        // A tree that is deeper or grows faster is stopped first: what has a signal pending forks no more.
        signal_all(SIGSTOP, MOST_PASSES);
        struct reached reached = signal_all(SIGKILL, MOST_PASSES);
        if (peeled == SOME_KILLED || reached.all > 0) vain = 0;
        for (int i = 0; i < reached.children; i++) {
            if (reap(plugin, 0) < 0) return;
        }
    }
}

// What the second number of /proc/PID/statm counts, in bytes; 0 for a process that is gone.
static long long resident(pid_t pid) {
    char path[32], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    long long pages = 0;
    sscanf(text, "%*s %lld", &pages);
    return pages * sysconf(_SC_PAGESIZE);
}

// With a part only of each page that is shared; -1 where Linux does not say it.
static long long proportional(pid_t pid) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    text[size > 0 ? size : 0] = 0;
    const char *line = strstr(text, "\nPss:");
    return line ? atoll(line + strlen("\nPss:")) << 10 : -1;
}

struct sum {
    struct footprint footprint;
    bool is_exact;
};

static void add_one(pid_t pid, const struct entry *entry, void *context) {
    (void)entry;
    struct sum *sum = context;
    long long bytes = sum->is_exact ? proportional(pid) : -1;
    sum->footprint.bytes += bytes < 0 ? resident(pid) : bytes;
    sum->footprint.processes++;
}

struct footprint tree_footprint(bool is_exact) {
    enum { MOST_PASSES = 4 };
    struct sum sum = {.is_exact = is_exact};
    walk(add_one, &sum, MOST_PASSES);
    return sum.footprint;
}
