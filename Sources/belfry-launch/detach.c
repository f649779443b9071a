// belfry-launch detach: a program in the background, with nothing left of who started it: a session of
// its own, / as its directory, no terminal, no descriptor but those it is to keep.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_KEPT = 16 };

struct options {
    const char *log;
    mode_t mask;
    int kept[MOST_KEPT + 1];  // sorted, with room for the report
    int kept_count;
    char **program;
};

static void keep(struct options *options, int descriptor) {
    int place = options->kept_count++;
    for (; place > 0 && options->kept[place - 1] > descriptor; place--)
        options->kept[place] = options->kept[place - 1];
    options->kept[place] = descriptor;
}

static int parse(char **words, struct options *options) {
    *options = (struct options){.mask = 077};
    for (; *words; words++) {
        const char *word = *words, *value = words[1];
        if (strcmp(word, "--") == 0) {
            options->program = words + 1;
            return value ? 0 : usage_error("after -- there is no", "PROGRAM");
        }
        bool is_log = strcmp(word, "--log") == 0, is_mask = strcmp(word, "--umask") == 0;
        if (!is_log && !is_mask && strcmp(word, "--keep-fd") != 0)
            return usage_error("before -- there can only be options, and none is", word);
        if (!value || strcmp(value, "--") == 0) return usage_error("a value is missing after", word);
        words++;
        long long number;
        if (is_log) options->log = value;
        else if (is_mask && !parse_number(value, 8, 0777, &number))
            return usage_error("not an octal mask:", value);
        else if (is_mask) options->mask = (mode_t)number;
        else if (options->kept_count == MOST_KEPT) return usage_error("too many descriptors to keep:", value);
        else if (!parse_number(value, 10, 1 << 30, &number) || number <= STDERR_FILENO
                 || fcntl((int)number, F_GETFD) < 0)
            return usage_error("not an open descriptor above 2:", value);
        else keep(options, (int)number);
    }
    return usage_error("missing", "-- PROGRAM");
}

// Opens what takes the program's output; the caller is still there to be told when that fails.
// Returns an errno, or 0.
static int open_log(const char *log, int *output) {
    // Not blocking, so that a named pipe without a reader is an error instead of a standstill.
    int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    *output = open(log ? log : "/dev/null", log ? flags | O_CREAT : flags, 0600);
    if (*output < 0 || fcntl(*output, F_SETFL, O_APPEND) != 0) return errno;
    return 0;
}

// Only in the background process: until then errors are told on the caller's stderr.
static int redirect(int output) {
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0) return errno;
    bool is_done = dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0
        && dup2(output, STDERR_FILENO) >= 0;
    return is_done ? 0 : errno;
}

__attribute__((noreturn)) static void fail(int report, int error) {
    // Nobody reads the report only when the parent was killed, and then nobody wants it.
    _exit(write(report, &error, sizeof error) < 0 ? EXIT_CANNOT_EXECUTE : EXIT_NO_PROGRAM);
}

__attribute__((noreturn)) static void become_background(struct options *options, int output, int report) {
    int error = redirect(output);
    if (error) fail(report, error);
    for (int i = 0; i < options->kept_count; i++) {
        int flags = fcntl(options->kept[i], F_GETFD);
        fcntl(options->kept[i], F_SETFD, flags & ~FD_CLOEXEC);
    }
    keep(options, report);
    close_from(STDERR_FILENO + 1, options->kept, options->kept_count);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execute(options->program);
    fail(report, errno);
}

// In the child: a session of its own, and a child again, as the leader of a session could get a
// terminal by opening one.
__attribute__((noreturn)) static void leave_session(struct options *options, int output, int report) {
    setsid();
    pid_t background = fork();
    if (background < 0) fail(report, errno);
    if (background == 0) become_background(options, output, report);
    _exit(0);
}

// Reads what `fail` wrote: 0 when exec closed the pipe instead.
static int read_report(int report) {
    int error = 0;
    ssize_t size;
    do size = read(report, &error, sizeof error);
    while (size < 0 && errno == EINTR);
    return size == sizeof error ? error : 0;
}

int detach_command(char **words) {
    fill_standard_descriptors();
    struct options options;
    int mistake = parse(words, &options);
    if (mistake) return mistake;
    const char *program = options.program[0];
    reset_signals();
    umask(options.mask);
    int output, report[2];
    int error = open_log(options.log, &output);
    if (error) return cannot_start(program, (struct failure){options.log ? options.log : "/dev/null", error});
    if (chdir("/") != 0) return cannot_start(program, (struct failure){"/", errno});
    if (pipe2(report, O_CLOEXEC) != 0) return cannot_start(program, (struct failure){"a pipe", errno});
    pid_t middle = fork();
    if (middle < 0) return cannot_start(program, (struct failure){"a process", errno});
    if (middle == 0) leave_session(&options, output, report[1]);
    close(report[1]);
    waitpid(middle, NULL, 0);
    error = read_report(report[0]);
    return error ? cannot_start(program, (struct failure){"", error}) : 0;
}
