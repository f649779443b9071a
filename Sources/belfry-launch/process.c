// Descriptors, signals and what is said of a failed start: what both modes do.

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
#include <time.h>
#include <unistd.h>

void fill_standard_descriptors(void) {
    int descriptor;
    do descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    if (descriptor >= 0) close(descriptor);
}

static void close_span(unsigned first, unsigned last) {
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) return;
    // A kernel older than 5.9, or a sandbox that refuses: ask /proc which descriptors are open.
    DIR *open_files = opendir("/proc/self/fd");
    if (!open_files) return;
    struct dirent *entry;
    while ((entry = readdir(open_files))) {
        int descriptor = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || descriptor == dirfd(open_files)) continue;
        if ((unsigned)descriptor >= first && (unsigned)descriptor <= last) close(descriptor);
    }
    closedir(open_files);
}

void close_from(int first, const int *kept, int kept_count) {
    unsigned next = (unsigned)first;
    for (int i = 0; i < kept_count; i++) {
        if ((unsigned)kept[i] > next) close_span(next, (unsigned)kept[i] - 1);
        if ((unsigned)kept[i] >= next) next = (unsigned)kept[i] + 1;
    }
    close_span(next, ~0u);
}

void reset_signals(void) {
    // Not by sigaction(): the C library refuses two numbers, which its posix_spawn leaves ignored.
    static const char default_action[64] = {0};
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, default_action, NULL, (NSIG - 1) / 8);
}

void execute(char *const *program) {
    // A file that was just written is busy while any process, ours or a stranger's, still has the writer's
    // descriptor between its fork and its exec.
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    for (int tries = 0; tries < 100; tries++) {
        execvp(program[0], program);
        if (errno != ETXTBSY) return;
        nanosleep(&pause, NULL);
    }
    errno = ETXTBSY;
}

int cannot_start(const char *program, struct failure failure) {
    // The same errno, where the program is there and the interpreter that its first line names is not.
    bool is_missing = failure.error == ENOENT && !*failure.step;
    if (is_missing && *program == '/' && access(program, F_OK) == 0) failure.step = "its interpreter";
    const char *colon = *failure.step ? ": " : "";
    fprintf(
        stderr, "belfry-launch: cannot start %s: %s%s%s\n", program, failure.step, colon,
        strerror(failure.error));
    return is_missing ? EXIT_NO_PROGRAM : EXIT_CANNOT_EXECUTE;
}
