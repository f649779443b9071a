// Ends a command that waits for more to print when nobody reads it any more: `belfry tail | head -1`
// is over with its first line, although nothing is written that would fail.

import Glibc

enum ReaderWatch {
    /// Ends the program quietly as soon as the reader of its standard output has gone.
    ///
    /// A thread of its own waits for that, since the main one is blocked in reading.
    static func start() {
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { _ in
                // Errors are reported unasked; a file or a terminal has none and waits for ever.
                var output = pollfd(fd: 1, events: 0, revents: 0)
                while poll(&output, 1, -1) < 0, errno == EINTR {}
                if output.revents & Int16(POLLERR | POLLHUP) != 0 { _exit(0) }
                return nil
            },
            nil
        )
        if code == 0 { pthread_detach(thread) }
    }
}
