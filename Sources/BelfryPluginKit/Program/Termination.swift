// SIGTERM, by which the hub asks a plugin to stop, as something that Swift can wait for.

import Glibc

/// SIGTERM as a call. The handler may do next to nothing, so it writes a byte that a thread waits for.
enum Termination {
    private final class Box: Sendable {
        let action: @Sendable () -> Void
        init(_ action: @escaping @Sendable () -> Void) { self.action = action }
    }

    // Written once, before the handler that reads it is installed.
    nonisolated(unsafe) private static var writeEnd: Int32 = -1
    nonisolated(unsafe) private static var readEnd: Int32 = -1

    static func watch(_ action: @escaping @Sendable () -> Void) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { pointer in
                var byte: UInt8 = 0
                while read(Termination.readEnd, &byte, 1) < 0, errno == EINTR {}
                if let pointer { Unmanaged<Box>.fromOpaque(pointer).takeRetainedValue().action() }
                return nil
            },
            Unmanaged.passRetained(Box(action)).toOpaque()
        )
        pthread_detach(thread)
        signal(SIGTERM) { _ in
            var byte: UInt8 = 1
            _ = write(Termination.writeEnd, &byte, 1)
        }
    }
}
