// What delivers events outward: a file, a terminal, popups, a plugin.

/// Delivers events outward.
///
/// A runner pulls events for each sink by cursor, hands them over in order, and moves the cursor
/// after `deliver` returned: after a crash the last batch comes again, none is skipped. A sink
/// that is slow or fails holds up nobody else.
public protocol Sink: Sendable {
    /// The instance's name, such as `file` or `desktop@host`. Its cursor is stored under it.
    var name: String { get }

    /// Whether ``deliver(_:)`` also wants progress. Defaults to false.
    var wantsProgress: Bool { get }

    /// The most events in one delivery. Defaults to nil: as many as the runner hands over by itself.
    var batchLimit: Int? { get }

    /// Where a sink without any cursor begins. Defaults to the oldest event that is kept.
    var start: SinkStart { get }

    /// Who knows after a restart where the sink stopped. Defaults to the store.
    var cursorKeeper: CursorKeeper { get }

    /// How the way out stands, in a few words for people, such as `there is no notification server`: for what
    /// is no failure of a delivery. Defaults to nil: nothing to remark.
    var remark: String? { get }

    /// Whether the sink is to get this event. Its cursor moves over the others. Defaults to true.
    func wants(_ event: EventRecord) -> Bool

    /// Where the sink stopped, as far as it knows by itself. Defaults to nil.
    func resumePosition() async throws -> EventCursor?

    /// Delivers one batch; returning means delivered.
    ///
    /// - Throws: ``SinkError``; anything else counts as ``SinkError/unavailable(_:)``.
    func deliver(_ batch: SinkBatch) async throws

    /// Delivers one batch and tells on the way how far it has got, so that what fails in its middle is not
    /// repeated from its beginning. Defaults to ``deliver(_:)``, which tells nothing.
    ///
    /// - Parameter reached: called with the position of the last event, or the end of the gap, up to which
    ///   everything is delivered.
    func deliver(_ batch: SinkBatch, reached: @escaping @Sendable (Int64) async -> Void) async throws

    /// Runs beside the deliveries, from before the first until ``close()`` has returned; then it is cancelled.
    /// For what a sink keeps going, such as a process. Defaults to nothing.
    func serve() async

    /// Called once at the end, after the last batch: write out what is buffered, let go of files.
    func close() async
}

extension Sink {
    public var wantsProgress: Bool { false }
    public var batchLimit: Int? { nil }
    public var start: SinkStart { .oldest }
    public var cursorKeeper: CursorKeeper { .store }
    public var remark: String? { nil }
    public func wants(_ event: EventRecord) -> Bool { true }
    public func resumePosition() async throws -> EventCursor? { nil }
    public func deliver(_ batch: SinkBatch, reached: @escaping @Sendable (Int64) async -> Void) async throws {
        try await deliver(batch)
    }
    public func serve() async {}
    public func close() async {}
}

/// Who knows after a restart where a sink stopped.
public enum CursorKeeper: Sendable {
    /// The store: the cursor is saved there after each delivery.
    case store
    /// The sink: what it wrote tells (``Sink/resumePosition()``). The store learns of it at shutdown
    /// only, for the case that what the sink wrote is gone.
    case sink
    /// Nobody: each run begins anew.
    case nobody
}

/// Where a sink that has never run begins.
public enum SinkStart: Sendable {
    case oldest
    /// Only what happens from now on.
    case now
}

/// What a sink gets in one delivery, to be handled in this order.
public struct SinkBatch: Sendable {
    /// Events that were pruned before this sink read them.
    public var gap: EventGap?
    public var events: [EventRecord]
    /// The newest progress of tasks, when the sink wants it.
    public var progress: [ProgressUpdate]

    public init(gap: EventGap? = nil, events: [EventRecord] = [], progress: [ProgressUpdate] = []) {
        self.gap = gap
        self.events = events
        self.progress = progress
    }

    /// What is left of it when everything up to `position` is delivered.
    public func after(_ position: Int64) -> SinkBatch {
        SinkBatch(
            gap: gap.flatMap { $0.to > position ? $0 : nil },
            events: Array(events.drop { $0.position <= position }),
            progress: progress
        )
    }

    public var isEmpty: Bool { gap == nil && events.isEmpty && progress.isEmpty }
}

/// A stretch of the log that is no longer there, both ends included.
public struct EventGap: Hashable, Sendable {
    public enum Reason: String, Sendable {
        /// The events were pruned.
        case pruned
        /// The cursor belonged to another log: the store was reset or restored.
        case newEpoch
    }

    public var epoch: String
    public var from: Int64
    public var to: Int64
    public var reason: Reason

    public init(epoch: String, from: Int64, to: Int64, reason: Reason) {
        self.epoch = epoch
        self.from = from
        self.to = to
        self.reason = reason
    }

    /// One line of JSON: `{"schema":1,"type":"gap","epoch":…,"from":…,"to":…,"reason":…}`.
    public var json: JSONValue {
        [
            "schema": .int(TaskEvent.schemaVersion), "type": "gap", "epoch": .string(epoch),
            "from": .int(from),
            "to": .int(to), "reason": .string(reason.rawValue),
        ]
    }
}

/// Why a delivery did not happen.
public enum SinkError: Error, Sendable {
    /// The way out is shut for now (disk full, server away): the same batch is tried again later,
    /// for as long as it takes. Without a time of its own, the runner waits longer from time to time.
    case unavailable(String, retryAfter: Duration? = nil)
    /// This one event cannot be delivered, and all before it are: it is tried a few times, then parked.
    case rejected(position: Int64, String)
    /// As ``rejected(position:_:)``, and it has been tried often enough: it is parked at once. Should the sink find
    /// at the next event that this one was not at fault, it throws ``broken(_:acquitting:)``.
    case poisonous(position: Int64, String)
    /// The sink works no more, whatever it is given, until another takes its place. The event that was parked last
    /// comes back to its place in the order if `acquitting` names it.
    case broken(String, acquitting: Int64?)
}
