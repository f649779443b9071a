// What libdbus wants to wait for, as Dispatch waits: descriptors and times.

import CDBus
import Dispatch

/// One libdbus watch. To be used on its link's queue only.
final class Watch {
    private let watch: OpaquePointer
    private let reading: DescriptorSource?
    private let writing: DescriptorSource?

    /// Both sources are made at once, so that a lack of descriptors shows here, where libdbus hears of it.
    ///
    /// - Returns: nil when there are no more descriptors.
    init?(_ watch: OpaquePointer, link: Link) {
        self.watch = watch
        let flags = dbus_watch_get_flags(watch)
        let wantsReading = flags & DBUS_WATCH_READABLE.rawValue != 0
        let wantsWriting = flags & DBUS_WATCH_WRITABLE.rawValue != 0
        reading = wantsReading ? Self.source(watch, DBUS_WATCH_READABLE.rawValue, link) : nil
        writing = wantsWriting ? Self.source(watch, DBUS_WATCH_WRITABLE.rawValue, link) : nil
        guard wantsReading == (reading != nil), wantsWriting == (writing != nil) else {
            cancel()
            return nil
        }
        update()
    }

    /// Follows what libdbus has enabled. Runs under the connection's lock: asks the watch, nothing else.
    func update() {
        let isEnabled = dbus_watch_get_enabled(watch) != 0
        reading?.setEnabled(isEnabled)
        writing?.setEnabled(isEnabled)
    }

    func cancel() {
        reading?.cancel()
        writing?.cancel()
    }

    /// The link lives until its sources are cancelled, which ends the cycle made here.
    private static func source(_ watch: OpaquePointer, _ flag: UInt32, _ link: Link) -> DescriptorSource? {
        DescriptorSource(
            watching: dbus_watch_get_unix_fd(watch),
            writing: flag == DBUS_WATCH_WRITABLE.rawValue,
            queue: link.queue
        ) { available in
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
