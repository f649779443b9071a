// A limit on the memory of the whole tree. A cgroup holds it to the byte: a scope of its own where systemd
// runs, else a cgroup beside ours where we may make one. Without either we look what the tree has, a few times
// a second, which a process that fills memory fast can overrun until the next look.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char cgroups[] = "/sys/fs/cgroup";

// MARK: Small files

// Reads up to `size - 1` bytes; "" when there is nothing to read.
static void read_text(int directory, const char *name, char *text, size_t size) {
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0) close(file);
    text[count > 0 ? count : 0] = 0;
}

static bool write_number(int directory, const char *name, long long number) {
    int file = openat(directory, name, O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    char text[32];
    int length = snprintf(text, sizeof text, "%lld", number);
    bool is_written = write(file, text, (size_t)length) == length;
    close(file);
    return is_written;
}

// The value beside `name` in lines of "name value"; 0 when there is none.
static long long value_of(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0) return atoll(line + length);
    }
    return 0;
}

// MARK: Cgroups

// Our own cgroup as a path below /sys/fs/cgroup, "/" and others. False where there is no cgroup v2.
static bool own_cgroup(char *path, size_t size) {
    char text[4096];
    read_text(AT_FDCWD, "/proc/self/cgroup", text, sizeof text);
    char *line = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
    if (!line) return false;
    line = strchr(line, ':') + 2;
    line[strcspn(line, "\n")] = 0;
    return snprintf(path, size, "%s", line) < (int)size;
}

static void hear_of_kills(struct memory *memory, int directory) {
    memory->directory = directory;
    memory->events = openat(directory, "memory.events", O_RDONLY | O_CLOEXEC);
}

static int open_directory(const char *path) { return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); }

// A cgroup of our own below `parent`, which must hand its children the control of memory.
static bool make_cgroup(struct memory *memory, const char *parent) {
    int length = snprintf(
        memory->path, sizeof memory->path, "%s%s/belfry-launch-%d", cgroups, strcmp(parent, "/") ? parent : "",
        getpid());
    if (length >= (int)sizeof memory->path || mkdir(memory->path, 0755) != 0) return false;
    int directory = open_directory(memory->path);
    memory->members = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    bool is_limited = memory->members >= 0 && write_number(directory, "memory.max", memory->limit);
    if (is_limited) {
        // Swap would only make it slow; and what is left of a tree that lost a process is of no use.
        write_number(directory, "memory.swap.max", 0);
        write_number(directory, "memory.oom.group", 1);
        hear_of_kills(memory, directory);
        if (memory->events >= 0) return true;
    }
    if (memory->members >= 0) close(memory->members);
    if (directory >= 0) close(directory);
    rmdir(memory->path);
    memory->members = memory->directory = -1;
    return false;
}

// Below our own cgroup, or beside it: a cgroup with processes in it, other than the root, has no children
// with a memory of their own.
static bool join_own_cgroup(struct memory *memory) {
    char path[2048];
    if (!own_cgroup(path, sizeof path)) return false;
    if (make_cgroup(memory, path)) return true;
    char *last = strrchr(path, '/');
    if (!last || strcmp(path, "/") == 0) return false;
    *last = 0;
    return make_cgroup(memory, *path ? path : "/");
}

// MARK: systemd

// Runs a program without a word to its end. True when it ends well.
static bool run_quietly(char *const *words) {
    pid_t pid = vfork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        int null = open("/dev/null", O_RDWR);
        for (int descriptor = 0; descriptor <= STDERR_FILENO; descriptor++) dup2(null, descriptor);
        execv(words[0], words);
        _exit(EXIT_NO_PROGRAM);
    }
    int status = -1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// The manager that would make a scope for us: "--user", "--system", or NULL.
static const char *manager_for_us(void) {
    char path[256];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime && snprintf(path, sizeof path, "%s/bus", runtime) < (int)sizeof path && access(path, W_OK) == 0)
        return "--user";
    return geteuid() == 0 ? "--system" : NULL;
}

// systemd moves us a moment after it has answered. True once we are in `scope`.
static bool arrive(const char *scope, char *path, size_t size) {
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (int tries = 0; tries < 1000; tries++) {
        if (!own_cgroup(path, size)) return false;
        const char *last = strrchr(path, '/');
        if (last && strcmp(last + 1, scope) == 0) return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

// Moves this process, and so the plugin, into a scope of its own.
static bool join_scope(struct memory *memory) {
    const char *manager = manager_for_us();
    if (!manager) return false;
    char scope[64], pid[16], limit[32], cgroup[2048], path[sizeof cgroup + sizeof cgroups];
    snprintf(scope, sizeof scope, "belfry-launch-%d.scope", getpid());
    snprintf(pid, sizeof pid, "%d", getpid());
    snprintf(limit, sizeof limit, "%lld", memory->limit);
    const char *words[] = {
        "/usr/bin/busctl", manager, "--timeout=5", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
        "org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", "5",
        "Description", "s", "A plugin of Belfry", "PIDs", "au", "1", pid, "MemoryMax", "t", limit,
        "MemorySwapMax", "t", "0", "CollectMode", "s", "inactive-or-failed", "0", NULL};
    if (!run_quietly((char *const *)words) || !arrive(scope, cgroup, sizeof cgroup)) return false;
    snprintf(path, sizeof path, "%s%s", cgroups, cgroup);
    int directory = open_directory(path);
    if (directory < 0) return false;
    hear_of_kills(memory, directory);
    return memory->events >= 0;
}

// MARK: What run() uses

// How often the tree is looked at where there is no cgroup, in milliseconds.
enum { LOOK_INTERVAL = 200 };

void limit_memory(struct memory *memory, long long bytes) {
    *memory = (struct memory){.limit = bytes, .members = -1, .events = -1, .directory = -1};
    if (bytes < 0) return;
    // Where systemd runs, cgroups are made by it alone.
    bool has_systemd = access("/run/systemd/system", F_OK) == 0;
    bool is_held = has_systemd ? join_scope(memory) : join_own_cgroup(memory);
    if (!is_held) memory->look_interval = LOOK_INTERVAL;
}

bool is_over_limit(struct memory *memory) {
    if (memory->limit < 0 || memory->is_over) return memory->is_over;
    if (memory->events >= 0) {
        char text[512];
        ssize_t count = pread(memory->events, text, sizeof text - 1, 0);
        text[count > 0 ? count : 0] = 0;
        memory->is_over = value_of(text, "oom_kill ") > 0;
        return memory->is_over;
    }
    struct footprint now = tree_footprint(false);
    if (now.bytes <= memory->limit) return false;
    // Shared pages were counted once for each process; the exact sum is dearer.
    now = tree_footprint(true);
    memory->is_over = now.bytes > memory->limit;
    if (memory->is_over) memory->seen = now;
    return memory->is_over;
}

void explain_limit(const struct memory *memory) {
    // On a line of its own, also when the plugin was in the middle of one.
    fprintf(stderr, "\nbelfry-launch: over the memory limit of %lld MiB", memory->limit >> 20);
    if (memory->seen.processes > 0)
        fprintf(
            stderr, ": %lld MiB in %d process%s", memory->seen.bytes >> 20, memory->seen.processes,
            memory->seen.processes == 1 ? "" : "es");
    fprintf(stderr, "\n");
}

void release_memory(struct memory *memory) {
    if (memory->members < 0) return;
    write_number(memory->directory, "cgroup.kill", 1);
    rmdir(memory->path);
}
