// The end of a connection, lost or closed: everybody who waits is told, then libdbus lets go.

import CDBus

extension Link {
    /// Time that a closing connection has to write what waits, in nanoseconds.
    private static let closingTime: UInt64 = 1_000_000_000

    /// Closes as soon as everything is written, or the time for it is over.
    func beginClosing() {
        let deadline = DeadlineTimer.deadline(.zero, after: DeadlineTimer.now + Self.closingTime)
        closingDeadline = deadline
        timer?.require(deadline)
    }

    /// Opens the latch when everything that was sent so far is written.
    func flush(_ latch: Latch) { flushes.append(latch) }

    /// Looks whether what waits was written.
    func checkWritten() {
        guard let connection else { return }
        let isWritten = dbus_connection_has_messages_to_send(connection) == 0
        if isWritten {
            for latch in flushes { latch.open() }
            flushes = []
        }
        guard let closingDeadline else { return }
        if isWritten || DeadlineTimer.now >= closingDeadline { return finish(.closed) }
        timer?.require(closingDeadline)
    }

    /// Ends everything. Runs outside of libdbus's callbacks.
    func finish(_ error: DBusError) {
        guard !isFinished else { return }
        isFinished = true
        let refused = submissions.end()
        release()
        for case .call(let call) in refused { tell(call, .failure(error)) }
        for call in calls.removeAll() { tell(call, .failure(error)) }
        // Again, since the failure of an own call may have been the first to want something more.
        for call in calls.removeAll() { tell(call, .failure(error)) }
        for (continuation, result) in finished { continuation.resume(with: result) }
        finished = []
        for case .run(let action) in refused { action(self) }
        router.finish()
        server.finish()
        exports.end()
        for latch in flushes { latch.open() }
        flushes = []
        closed.open()
    }

    /// Private connections are closed, drained and let go, in this order: libdbus aborts on any other.
    private func release() {
        timer?.cancel()
        timer = nil
        isLost = true
        guard let connection else { return }
        self.connection = nil
        dbus_connection_close(connection)
        while dbus_connection_dispatch(connection) == DBUS_DISPATCH_DATA_REMAINS {}
        dbus_connection_set_wakeup_main_function(connection, nil, nil, nil)
        dbus_connection_set_dispatch_status_function(connection, nil, nil, nil)
        dbus_connection_set_watch_functions(connection, nil, nil, nil, nil, nil)
        dbus_connection_set_timeout_functions(connection, nil, nil, nil, nil, nil)
        dbus_connection_remove_filter(connection, linkFilter, Unmanaged.passUnretained(self).toOpaque())
        dbus_connection_unref(connection)
    }
}
