// Calls in flight by the number of their message. libdbus has a table of its own (DBusPendingCall), which
// tells nobody when the connection is lost and wants a timer per call; this one does neither.

/// The calls that wait for answers, and those whose answers may still come late.
struct CallTable {
    typealias LateReply = @Sendable ([DBusValue]) -> Void

    /// Late answers expected at most; the oldest are forgotten.
    static let mostLate = 1024

    private var calls: [UInt32: PendingCall] = [:]
    private var late: [UInt32: LateReply] = [:]
    private var lateOrder: [UInt32] = []

    var isEmpty: Bool { calls.isEmpty }
    var count: Int { calls.count }

    func contains(_ serial: UInt32) -> Bool { calls[serial] != nil }

    mutating func insert(_ call: PendingCall) { calls[call.serial] = call }

    /// Takes out the call that `serial` answers.
    mutating func remove(_ serial: UInt32) -> PendingCall? { calls.removeValue(forKey: serial) }

    /// Takes out a call that nobody waits for any more.
    ///
    /// - Returns: nil when it was answered before.
    mutating func abandon(_ serial: UInt32) -> PendingCall? {
        guard let call = calls.removeValue(forKey: serial) else { return nil }
        if let onLateReply = call.onLateReply { expectLate(serial, onLateReply) }
        return call
    }

    /// Takes out whoever wants to know of a late answer with this number.
    mutating func removeLate(_ serial: UInt32) -> LateReply? {
        guard !late.isEmpty else { return nil }
        return late.removeValue(forKey: serial)
    }

    /// Takes out all calls in the order they were sent.
    mutating func removeAll() -> [PendingCall] {
        defer { self = CallTable() }
        return calls.values.sorted { $0.serial < $1.serial }
    }

    /// Abandons the calls whose time is up.
    ///
    /// - Returns: them, and the next deadline of the others.
    mutating func expire(at now: UInt64) -> (expired: [PendingCall], next: UInt64?) {
        var expired: [PendingCall] = []
        var next: UInt64?
        for call in calls.values {
            if call.deadline <= now { expired.append(call) } else { next = min(next ?? .max, call.deadline) }
        }
        for call in expired { _ = abandon(call.serial) }
        return (expired.sorted { $0.deadline < $1.deadline }, next)
    }

    private mutating func expectLate(_ serial: UInt32, _ onLateReply: @escaping LateReply) {
        late[serial] = onLateReply
        lateOrder.append(serial)
        guard lateOrder.count >= 2 * Self.mostLate || late.count > Self.mostLate else { return }
        if late.count > Self.mostLate, let oldest = lateOrder.first(where: { late[$0] != nil }) {
            late[oldest] = nil
        }
        lateOrder.removeAll { late[$0] == nil }
    }
}
