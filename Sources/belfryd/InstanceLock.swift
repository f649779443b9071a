// One hub for each runtime directory. The kernel's lock on a file says who is alive: it is gone
// with its process, however that ended.

import BelfryAPI
import BelfryCore
import Glibc

/// The lock that makes this process the hub. Held until the process ends.
struct InstanceLock: ~Copyable {
    private let descriptor: Int32

    /// Who has the lock for the time of one answer says so in it, and is always waited for.
    private static let briefMark = "answering"

    /// - Parameters:
    ///   - patience: how long a hub that is shutting down is waited for.
    ///   - isBrief: whether the lock is wanted for no more than one answer.
    /// - Throws: ``BelfryError`` `already_running` naming the other's process.
    init(_ places: Places, patience: Duration, isBrief: Bool = false) throws {
        let path = places.runtime + "/hub.lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw BelfryError(
                .notWritable,
                "Cannot open \(path): \(String(cString: strerror(errno))).",
                fix: "Make \(places.runtime) writable, or set BELFRY_RUNTIME_DIR."
            )
        }
        let start = ContinuousClock.now
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            // The other is on its way out, and the kernel has no lock that waits for so long only.
            let words = Self.words(descriptor)
            let patience = words.last == Self.briefMark ? max(patience, .seconds(30)) : patience
            guard ContinuousClock.now < start + patience else { throw Self.taken(descriptor, words, places) }
            usleep(20_000)
        }
        ftruncate(descriptor, 0)
        let text = Array("\(getpid())\n\(isBrief ? Self.briefMark + "\n" : "")".utf8)
        _ = pwrite(descriptor, text, text.count, 0)
    }

    deinit { close(descriptor) }

    /// The lines that the lock's owner wrote into it.
    private static func words(_ descriptor: Int32) -> [String] {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = max(0, pread(descriptor, &buffer, buffer.count, 0))
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func taken(_ descriptor: Int32, _ words: [String], _ places: Places) -> BelfryError {
        close(descriptor)
        return BelfryError(
            .alreadyRunning,
            "A hub is running already: process \(words.first ?? "?"), socket \(places.socket).",
            fix:
                "Use that one, end it with belfry stop, or set BELFRY_RUNTIME_DIR and BELFRY_STATE_DIR for a second."
        )
    }
}
