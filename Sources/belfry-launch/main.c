// belfry-launch stands between the hub and what it starts. `run` starts a plugin and answers for its
// whole process tree; `detach` puts the hub into the background. It is C because it forks.

#include "launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Always that of BelfryVersion.current; a test compares them.
static const char version[] = "0.1.0";

static const char usage[] =
    "usage: belfry-launch run [OPTION]... -- PROGRAM ARG...\n"
    "       belfry-launch detach [--log FILE] [--umask OCTAL] [--keep-fd N]... -- PROGRAM ARG...\n";

static const char explanation[] =
    "\n"
    "run: starts PROGRAM in a session of its own and ends as it ended, once nothing of its process\n"
    "tree is left. The whole tree is killed at once when nobody reads stdout any more.\n"
    "  --grace SECONDS        from SIGTERM, SIGINT or SIGHUP, which pass on SIGTERM, to SIGKILL\n"
    "                         (default 5); a second SIGTERM or SIGINT kills at once\n"
    "  --linger SECONDS       how long others of the tree may outlive PROGRAM (default 0.5)\n"
    "  --cwd DIR              the directory to start in\n"
    "  --umask OCTAL          the file mode mask\n"
    "  --address-space-mb N   RLIMIT_AS, in MiB\n"
    "  --memory-mb N          what the whole tree may have in memory, in MiB: held by a cgroup where\n"
    "                         there can be one, else looked at; past it the tree is killed\n"
    "  --nofile N             RLIMIT_NOFILE\n"
    "  --core-off             no core dumps\n"
    "\n"
    "detach: starts PROGRAM in the background, in / and a session of its own, and returns.\n"
    "  --log FILE             takes its output and errors (default: nowhere)\n"
    "  --umask OCTAL          the file mode mask (default 077)\n"
    "  --keep-fd N            stays open, as the same number; all others are closed\n"
    "\n"
    "exit status: that of PROGRAM (run) or 0 (detach); 127 PROGRAM does not exist, 126 it cannot be\n"
    "started, 64 wrong usage. PROGRAM's death by a signal is ours by the same signal.\n";

int usage_error(const char *what, const char *word) {
    fprintf(stderr, "belfry-launch: %s '%s'\n%sSee belfry-launch --help.\n", what, word, usage);
    return EXIT_USAGE_ERROR;
}

bool parse_seconds(const char *text, int *milliseconds) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != 0 || !(seconds >= 0 && seconds <= 86400)) return false;
    *milliseconds = (int)(seconds * 1000 + 0.5);
    return true;
}

bool parse_number(const char *text, int base, long long limit, long long *number) {
    char *end;
    *number = strtoll(text, &end, base);
    return end != text && *end == 0 && *number >= 0 && *number <= limit;
}

int main(int count, char **words) {
    if (count < 2) return usage_error("missing", "run or detach");
    for (char **word = words + 1; *word && strcmp(*word, "--") != 0; word++) {
        if (strcmp(*word, "--help") == 0) return printf("%s%s", usage, explanation) < 0;
        if (strcmp(*word, "--version") == 0) return printf("belfry-launch %s\n", version) < 0;
    }
    if (strcmp(words[1], "run") == 0) return run_command(words + 2);
    if (strcmp(words[1], "detach") == 0) return detach_command(words + 2);
    return usage_error("there is no mode", words[1]);
}
