// belfry-launch run: a plugin in a session of its own, and the end of its whole tree when it ends, is
// cancelled (SIGTERM here), or the hub is gone.
//
// The hub's death shows on stdout, whose reader it is: without a reader the tree is killed, also when
// the reader closed its end on purpose. (A plugin that closes its own stdout changes nothing: we hold
// it too.) PDEATHSIG would not do for that: it follows the thread that forked, not the process.
// It does guard the plugin against our own death; its descendants then are whoever's who reaps them, so
// whoever wants the tree gone at once sends SIGTERM twice, not SIGKILL.

#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
    int grace, linger;  // milliseconds
    const char *directory;
    long long mask, address_space_mb, memory_mb, open_files;  // -1: as inherited
    bool no_core;
    char **program;
};

// True when `word` names an option; `is_good` says whether `value` suits it.
static bool parse_option(const char *word, const char *value, struct options *options, bool *is_good) {
    if (strcmp(word, "--grace") == 0) *is_good = parse_seconds(value, &options->grace);
    else if (strcmp(word, "--linger") == 0) *is_good = parse_seconds(value, &options->linger);
    else if (strcmp(word, "--umask") == 0) *is_good = parse_number(value, 8, 0777, &options->mask);
    else if (strcmp(word, "--nofile") == 0) *is_good = parse_number(value, 10, 1 << 30, &options->open_files);
    else if (strcmp(word, "--address-space-mb") == 0)
        *is_good = parse_number(value, 10, 1LL << 40, &options->address_space_mb);
    else if (strcmp(word, "--memory-mb") == 0)
        *is_good = parse_number(value, 10, 1LL << 40, &options->memory_mb);
    else if (strcmp(word, "--cwd") == 0) options->directory = value;
    else return false;
    return true;
}

static int bad_value(const char *option, const char *value) {
    char what[64];
    snprintf(what, sizeof what, "%s cannot be", option);
    return usage_error(what, value);
}

static int parse(char **words, struct options *options) {
    *options = (struct options){
        .grace = 5000, .linger = 500, .mask = -1, .address_space_mb = -1, .memory_mb = -1, .open_files = -1};
    for (; *words; words++) {
        const char *word = *words, *value = words[1];
        if (strcmp(word, "--") == 0) {
            options->program = words + 1;
            return value ? 0 : usage_error("after -- there is no", "PROGRAM");
        }
        if (strcmp(word, "--core-off") == 0) {
            options->no_core = true;
            continue;
        }
        bool is_good = true;
        if (!parse_option(word, value ? value : "", options, &is_good))
            return usage_error("before -- there can only be options, and none is", word);
        if (!value || strcmp(value, "--") == 0) return usage_error("a value is missing after", word);
        if (!is_good) return bad_value(word, value);
        words++;
    }
    return usage_error("missing", "-- PROGRAM");
}

static void limit(int resource, rlim_t value) {
    struct rlimit bound;
    getrlimit(resource, &bound);
    // Never above the limit we are under ourselves, which only root may raise.
    if (value < bound.rlim_max) bound.rlim_max = value;
    bound.rlim_cur = bound.rlim_max;
    setrlimit(resource, &bound);
}

// The child's word why it failed. vfork shares our memory until exec, so it needs no pipe.
static volatile int failed_errno;
static const char *volatile failed_step;

__attribute__((noreturn)) static void fail_start(void) {
    failed_errno = errno;
    _exit(EXIT_CANNOT_EXECUTE);
}

// Runs in the vforked child: nothing here may allocate or touch what the parent goes on using.
__attribute__((noreturn)) static void become_plugin(const struct options *options, int cgroup, pid_t launcher) {
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Had the launcher died before that, the signal would never come.
    if (getppid() != launcher) _exit(EXIT_CANNOT_EXECUTE);
    failed_step = "its cgroup";
    if (cgroup >= 0 && write(cgroup, "0", 1) < 0) fail_start();
    if (options->open_files >= 0) limit(RLIMIT_NOFILE, (rlim_t)options->open_files);
    if (options->no_core) limit(RLIMIT_CORE, 0);
    if (options->mask >= 0) umask((mode_t)options->mask);
    failed_step = options->directory;
    if (options->directory && chdir(options->directory) != 0) fail_start();
    failed_step = "";
    if (options->address_space_mb >= 0) limit(RLIMIT_AS, (rlim_t)options->address_space_mb << 20);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execute(options->program);
    fail_start();
}

static pid_t start(const struct options *options, const struct memory *memory) {
    pid_t launcher = getpid();
    pid_t pid = vfork();
    if (pid == 0) become_plugin(options, memory->members, launcher);
    return pid;
}

static long long now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

// What has happened to a plugin, as far as it decides what happens next.
struct course {
    struct plugin plugin;
    struct memory memory;
    bool was_asked;    // to end, by a signal
    bool is_draining;  // the plugin has ended, others of its tree have not
    long long deadline;  // for what is left of the tree, or -1
};

static void expect_end(struct course *course, int milliseconds) {
    // One more, since the clock was rounded down: a grace is never shorter than was said.
    long long end = now_ms() + milliseconds + 1;
    if (course->deadline < 0 || end < course->deadline) course->deadline = end;
}

// Passes requests to end on to the plugin. True when it is to be killed at once.
static bool take_signals(int signals, struct course *course, const struct options *options) {
    struct signalfd_siginfo info;
    bool kills = false;
    while (read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) continue;
        // A service manager may send SIGHUP right behind SIGTERM; that asks only once.
        if (course->was_asked && info.ssi_signo != SIGHUP) kills = true;
        if (course->was_asked) continue;
        course->was_asked = true;
        expect_end(course, options->grace);
        // What is left of the tree has been asked already, and the group's number may be a stranger's.
        if (course->is_draining) continue;
        kill(-course->plugin.pid, SIGTERM);
        kill(-course->plugin.pid, SIGCONT);
    }
    return kills;
}

// Milliseconds until the clock alone makes something happen, -1 for never.
static long long time_left(const struct course *course) {
    long long left = course->deadline < 0 ? -1 : course->deadline - now_ms();
    if (left < 0 && course->deadline >= 0) return 0;
    int look = course->memory.look_interval;
    return look > 0 && (left < 0 || look < left) ? look : left;
}

// Waits until nothing of the tree is left, and sees to it that this comes.
static void watch(struct course *course, int signals, const struct options *options) {
    struct pollfd watched[] = {
        {.fd = signals, .events = POLLIN},
        {.fd = STDOUT_FILENO, .events = 0},
        {.fd = course->memory.events, .events = POLLPRI},
    };
    while (reap_ended(&course->plugin)) {
        if (course->plugin.has_ended && !course->is_draining) {
            course->is_draining = true;
            expect_end(course, options->linger);
            ask_tree_to_end();
        }
        bool kills = course->deadline >= 0 && course->deadline <= now_ms();
        kills = kills || is_over_limit(&course->memory);
        if (!kills && poll(watched, 3, (int)time_left(course)) > 0) {
            kills = take_signals(signals, course, options) || (watched[1].revents & (POLLERR | POLLHUP));
        }
        if (kills) return kill_tree(&course->plugin);
    }
}

// Ends as the plugin ended, by the same signal if it was one, so that the hub sees the reason.
static int end_as(const struct plugin *plugin) {
    // Only what we may not kill outlives kill_tree.
    if (!plugin->has_ended) return 128 + SIGKILL;
    if (WIFEXITED(plugin->status)) return WEXITSTATUS(plugin->status);
    int number = WTERMSIG(plugin->status);
    limit(RLIMIT_CORE, 0);
    prctl(PR_SET_DUMPABLE, 0);  // a core_pattern that is a pipe heeds no limit
    sigset_t reason;
    sigemptyset(&reason);
    sigaddset(&reason, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &reason, NULL);
    return 128 + number;
}

// The kernel may have killed one of several processes for the limit, and the plugin ended by itself then.
static int conclude(struct course *course) {
    bool is_over = is_over_limit(&course->memory);
    release_memory(&course->memory);
    if (is_over) {
        explain_limit(&course->memory);
        course->plugin.status = SIGKILL;
    }
    return end_as(&course->plugin);
}

// Blocks every signal, so that none can end us before the tree, and returns where those we heed arrive.
static int receive_signals(void) {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    sigemptyset(&set);
    static const int heeded[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof heeded / sizeof *heeded; i++) sigaddset(&set, heeded[i]);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run_command(char **words) {
    fill_standard_descriptors();
    close_from(STDERR_FILENO + 1, NULL, 0);
    struct options options;
    int mistake = parse(words, &options);
    if (mistake) return mistake;
    reset_signals();
    int signals = receive_signals();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (signals < 0) return cannot_start(options.program[0], (struct failure){"signals", errno});
    struct course course = {.deadline = -1};
    limit_memory(&course.memory, options.memory_mb < 0 ? -1 : options.memory_mb << 20);
    course.plugin.pid = start(&options, &course.memory);
    if (course.plugin.pid < 0 || failed_errno) {
        const char *step = course.plugin.pid < 0 ? "a process" : failed_step;
        int error = course.plugin.pid < 0 ? errno : failed_errno;
        if (failed_errno) kill_tree(&course.plugin);
        release_memory(&course.memory);
        return cannot_start(options.program[0], (struct failure){step, error});
    }
    // The plugin's alone: the hub is to see a broken pipe when the plugin stops reading.
    close(STDIN_FILENO);
    watch(&course, signals, &options);
    return conclude(&course);
}
