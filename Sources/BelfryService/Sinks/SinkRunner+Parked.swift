// What becomes of events that were put aside: delivered again when somebody asks for it, or forgotten.

public import BelfryCore
import ServiceLifecycle
import Synchronization

/// What became of events that were asked to be delivered again.
public struct SinkReplay: Sendable, Hashable {
    /// Delivered now, and no longer put aside.
    public var delivered: [Int64] = []
    /// Refused again, and still put aside.
    public var rejected: [Int64] = []
    /// No longer in the log, and forgotten.
    public var gone: [Int64] = []
    /// Why it ended before the last: the way out is shut. What was not tried is still put aside.
    public var stopped: String?

    public init() {}
}

extension SinkRunner {
    /// Delivers events that were put aside once more, each once, in the order of their positions and between
    /// the deliveries of new ones. What is delivered is no longer put aside; a shutdown ends it in between.
    ///
    /// - Parameter positions: which; nil means all.
    /// - Throws: ``BelfryError`` `not_found` for a position that is not parked, `conflict` while the sink fails.
    public func replay(_ positions: [Int64]?) async throws -> SinkReplay {
        let parked = try await Self.choose(positions, of: sink.name, in: store)
        let status = status
        guard status.condition == .running else {
            throw BelfryError(
                .conflict,
                "The sink '\(sink.name)' does not deliver now: \(status.lastError ?? status.condition.rawValue)",
                fix: "Mend that first, and try again when belfry sink list shows it running."
            )
        }
        var result = SinkReplay()
        for event in parked {
            guard let record = try await record(at: event.position) else {
                result.gone.append(event.position)
                try await forget([event.position])
                continue
            }
            if let reason = try await deliverAgain(record, &result) {
                result.stopped = reason
                break
            }
        }
        return result
    }

    /// Forgets events that were put aside.
    ///
    /// - Throws: ``BelfryError`` `not_found` for a position that is not parked.
    public func drop(_ positions: [Int64]?) async throws -> [Int64] {
        let chosen = try await Self.choose(positions, of: sink.name, in: store).map(\.position)
        try await forget(chosen)
        return chosen
    }

    /// Forgets events that a sink put aside which does not run.
    ///
    /// - Throws: as ``drop(_:)``.
    public static func drop(_ positions: [Int64]?, of sink: String, in store: any TaskStore) async throws
        -> [Int64]
    {
        let chosen = try await choose(positions, of: sink, in: store).map(\.position)
        try await store.unpark(chosen, of: sink)
        return chosen
    }

    /// - Returns: why nothing more can be delivered now.
    private func deliverAgain(_ record: EventRecord, _ result: inout SinkReplay) async throws -> String? {
        do {
            try await turns.withTurn {
                try await cancelWhenGracefulShutdown {
                    try await self.sink.deliver(SinkBatch(events: [record]))
                }
            }
            try await forget([record.position])
            result.delivered.append(record.position)
            return nil
        } catch SinkError.rejected(_, let reason), SinkError.poisonous(record.position, let reason) {
            let now = clocks.wall.now
            try await store.park(
                ParkedEvent(sink: sink.name, position: record.position, reason: reason, time: now)
            )
            result.rejected.append(record.position)
            return nil
        } catch let error as SinkError {
            return Self.describe(error)
        } catch is CancellationError {
            return "the hub is shutting down"
        }
    }

    /// Brings back the event that was parked last, and the cursor before it: whoever delivers next begins there.
    ///
    /// - Returns: nil when it is not parked any more, or the store does not answer.
    func takeBack(_ position: Int64) async -> EventRecord? {
        guard sink.cursorKeeper == .store, let suspect = state.withLock({ $0.suspect }),
            suspect.position == position
        else { return nil }
        do {
            guard try await store.parkedEvents(of: sink.name).contains(where: { $0.position == position })
            else { return nil }
            // In this order a crash in between leaves it parked or repeats events, and loses none.
            let before = EventCursor(epoch: suspect.cursor.epoch, position: position - 1)
            try await store.saveCursor(before, of: sink.name)
            state.withLock { ($0.cursor, $0.saved, $0.suspect) = (before, before, nil) }
            try await forget([position])
            return suspect
        } catch { return nil }
    }

    private func record(at position: Int64) async throws -> EventRecord? {
        try await store.events(after: position - 1, limit: 1).events.first { $0.position == position }
    }

    private func forget(_ positions: [Int64]) async throws {
        try await store.unpark(positions, of: sink.name)
        let left = try await store.parkedEvents(of: sink.name).count
        state.withLock { $0.parked = left }
    }

    /// Those of the parked events that are meant, by position.
    static func choose(_ positions: [Int64]?, of sink: String, in store: any TaskStore) async throws
        -> [ParkedEvent]
    {
        let parked = try await store.parkedEvents(of: sink)
        guard let positions else { return parked }
        let wanted = Set(positions)
        if let missing = wanted.subtracting(parked.map(\.position)).min() {
            throw BelfryError(
                .notFound,
                "The event \(missing) is not put aside for the sink '\(sink)'.",
                fix: "See: belfry sink parked \(sink)"
            )
        }
        return parked.filter { wanted.contains($0.position) }
    }
}
