// What libdbus wants to wait for, as Dispatch waits: descriptors and times.

import CDBus
import Dispatch

/// One libdbus watch. To be used on its link's queue only.
final class Watch {
    private let watch: OpaquePointer
    private unowned let link: Link
    private var reading: DescriptorSource?
    private var writing: DescriptorSource?

    init(_ watch: OpaquePointer, link: Link) {
        self.watch = watch
        self.link = link
    }

    /// Follows what libdbus has enabled. Runs under the connection's lock: asks the watch, nothing else.
    ///
    /// - Returns: false when there are no more descriptors.
    func update() -> Bool {
        let isEnabled = dbus_watch_get_enabled(watch) != 0
        let flags = dbus_watch_get_flags(watch)
        let wantsReading = isEnabled && flags & DBUS_WATCH_READABLE.rawValue != 0
        let wantsWriting = isEnabled && flags & DBUS_WATCH_WRITABLE.rawValue != 0
        if wantsReading, reading == nil {
            reading = source(writing: false)
            if reading == nil { return false }
        }
        if wantsWriting, writing == nil {
            writing = source(writing: true)
            if writing == nil { return false }
        }
        reading?.setEnabled(wantsReading)
        writing?.setEnabled(wantsWriting)
        return true
    }

    func cancel() {
        reading?.cancel()
        writing?.cancel()
    }

    private func source(writing: Bool) -> DescriptorSource? {
        let flag = writing ? DBUS_WATCH_WRITABLE.rawValue : DBUS_WATCH_READABLE.rawValue
        // The link lives until its sources are cancelled, which ends this cycle.
        return DescriptorSource(
            watching: dbus_watch_get_unix_fd(watch),
            writing: writing,
            queue: link.queue
        ) { [watch, link] available in
            link.ready(watch, flag, available: available)
        }
    }
}

/// One libdbus timeout. To be used on its link's queue only.
final class Timeout {
    private let timeout: OpaquePointer
    private unowned let link: Link
    private var timer: (any DispatchSourceTimer)?

    init(_ timeout: OpaquePointer, link: Link) {
        self.timeout = timeout
        self.link = link
    }

    /// Follows what libdbus has enabled.
    func update() {
        timer?.cancel()
        timer = nil
        guard dbus_timeout_get_enabled(timeout) != 0 else { return }
        let interval = DispatchTimeInterval.milliseconds(Int(dbus_timeout_get_interval(timeout)))
        let timer = DispatchSource.makeTimerSource(queue: link.queue)
        timer.schedule(deadline: .now() + interval, repeating: interval)
        timer.setEventHandler { [timeout, link] in link.elapsed(timeout) }
        timer.activate()
        self.timer = timer
    }

    func cancel() { timer?.cancel() }
}
