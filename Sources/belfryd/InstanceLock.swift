// One hub for each runtime directory. The kernel's lock on a file says who is alive: it is gone
// with its process, however that ended.

import BelfryAPI
import BelfryCore
import Glibc

/// The lock that makes this process the hub. Held until the process ends.
struct InstanceLock: ~Copyable {
    private let descriptor: Int32

    /// - Parameter patience: how long a hub that is shutting down is waited for.
    /// - Throws: ``BelfryError`` `already_running` naming the other's process.
    init(_ places: Places, patience: Duration) throws {
        let path = places.runtime + "/hub.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw BelfryError(
                .notWritable,
                "Cannot open \(path): \(String(cString: strerror(errno))).",
                fix: "Make \(places.runtime) writable, or set BELFRY_RUNTIME_DIR."
            )
        }
        let deadline = ContinuousClock.now + patience
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            // The other is on its way out, and the kernel has no lock that waits for so long only.
            guard ContinuousClock.now < deadline else { throw Self.taken(descriptor, places) }
            usleep(20_000)
        }
        ftruncate(descriptor, 0)
        let line = Array("\(getpid())\n".utf8)
        _ = pwrite(descriptor, line, line.count, 0)
    }

    deinit { close(descriptor) }

    private static func taken(_ descriptor: Int32, _ places: Places) -> BelfryError {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = max(0, pread(descriptor, &buffer, buffer.count, 0))
        close(descriptor)
        let pid = String(decoding: buffer[..<count].prefix { $0 != 0x0A }, as: UTF8.self)
        return BelfryError(
            .alreadyRunning,
            "A hub is running already: process \(pid), socket \(places.socket).",
            fix:
                "Use that one, end it with belfry stop, or set BELFRY_RUNTIME_DIR and BELFRY_STATE_DIR for a second."
        )
    }
}
