// One timer for all calls of a connection. A DispatchSourceTimer costs two changes of thread each time it
// is set, more than a whole call; a timerfd costs one system call, so that it can be set when the first
// call goes out and taken back when the last is answered: idle, nothing runs.

import CDBus
import Dispatch
import Glibc

/// Calls back on its queue when a point in time is reached. To be used on that queue only.
final class DeadlineTimer {
    private let descriptor: Int32
    private let source: any DispatchSourceRead
    private(set) var deadline: UInt64?

    /// - Throws: ``DBusError`` when there are no more descriptors.
    init(queue: DispatchQueue, onFire: @escaping () -> Void) throws {
        let descriptor = cdbus_timer_create()
        guard descriptor >= 0 else {
            throw DBusError.tooLarge("Cannot make a timer: \(String(cString: strerror(errno))).")
        }
        self.descriptor = descriptor
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler {
            var count: UInt64 = 0
            // Set anew in the meantime: then there is nothing to read.
            if read(descriptor, &count, 8) == 8 { onFire() }
        }
        source.setCancelHandler { close(descriptor) }
        source.activate()
    }

    func cancel() { source.cancel() }

    /// Fires not later than `deadline`.
    func require(_ deadline: UInt64) {
        if let set = self.deadline, set <= deadline { return }
        set(deadline)
    }

    /// Fires at `deadline`; nil: not at all.
    func set(_ deadline: UInt64?) {
        guard deadline != self.deadline else { return }
        self.deadline = deadline
        cdbus_timer_set(descriptor, deadline ?? 0)
    }

    /// Notes that the deadline has passed.
    func didFire() { deadline = nil }

    /// The monotonic clock in nanoseconds. Stops while the machine sleeps.
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// `now` and `duration`, up to a whole millisecond, so that many deadlines fall together.
    static func deadline(_ duration: Duration, after now: UInt64) -> UInt64 {
        let parts = duration.components
        // A thousand years is as good as never.
        let seconds = min(max(parts.seconds, 0), 31_536_000_000)
        let nanoseconds = UInt64(seconds) * 1_000_000_000 + UInt64(max(parts.attoseconds, 0) / 1_000_000_000)
        return (now + nanoseconds + 999_999) / 1_000_000 * 1_000_000
    }
}
