// One reader's place in the event stream: from the ring while it keeps up, from the store when
// it fell behind, with a gap record where the log no longer has what it missed.

public import BelfryCore
import DequeModule
import Synchronization

/// Reads events in order, each once, from where it began.
///
/// Not for use by two tasks at once.
public final class EventReader: Sendable {
    private struct Place {
        var position: Int64
        /// The cursor it began with was of another log.
        var isForeign: Bool
    }

    private let bus: ObserverBus
    private let id: Int
    private let epoch: String
    private let place: Mutex<Place>

    init(bus: ObserverBus, id: Int, position: Int64, isForeign: Bool, epoch: String) {
        self.bus = bus
        self.id = id
        self.epoch = epoch
        place = Mutex(Place(position: position, isForeign: isForeign))
    }

    deinit { _ = bus.state.withLock { $0.readers.removeValue(forKey: id) } }

    /// The position of the last event that was read.
    public var cursor: EventCursor { EventCursor(epoch: epoch, position: place.withLock { $0.position }) }

    /// The next events, and the progress that changed; waits until there are any.
    ///
    /// - Returns: nil when the bus has ended and everything was read.
    /// - Throws: `CancellationError`, or what the store throws.
    public func next(limit: Int = 256) async throws -> SinkBatch? {
        while true {
            try Task.checkCancellation()
            switch look(limit: limit) {
            case .batch(let batch): return batch
            case .behind: if let batch = try await readStore(limit: limit) { return batch }
            case .wait: try await wait()
            case .finished: return nil
            }
        }
    }

    /// What can be read without waiting; nil when that is nothing.
    public func available(limit: Int = 256) async throws -> SinkBatch? {
        while true {
            switch look(limit: limit) {
            case .batch(let batch): return batch
            case .behind: if let batch = try await readStore(limit: limit) { return batch }
            case .wait, .finished: return nil
            }
        }
    }

    private enum Look {
        case batch(SinkBatch)
        /// Older than the ring: only the store has it.
        case behind
        case wait
        case finished
    }

    private func look(limit: Int) -> Look {
        let here = place.withLock { $0 }
        if here.isForeign { return .behind }
        let look = bus.state.withLock { state -> Look in
            guard here.position < state.newest else {
                let progress = takeProgress(from: &state)
                if !progress.isEmpty { return .batch(SinkBatch(progress: progress)) }
                return state.isFinished ? .finished : .wait
            }
            guard let first = state.ring.first?.position, here.position + 1 >= first else { return .behind }
            let start = state.ring.startIndex + Int(here.position + 1 - first)
            let events = Array(state.ring[start...].prefix(limit))
            let isHead = events.last?.position == state.newest
            return .batch(SinkBatch(events: events, progress: isHead ? takeProgress(from: &state) : []))
        }
        if case .batch(let batch) = look { advance(by: batch) }
        return look
    }

    private func takeProgress(from state: inout ObserverBus.State) -> [ProgressUpdate] {
        guard let changed = state.readers[id]?.changedProgress, !changed.isEmpty else { return [] }
        state.readers[id]?.changedProgress = []
        return changed.compactMap { state.latestProgress[$0] }
    }

    private func readStore(limit: Int) async throws -> SinkBatch? {
        let here = place.withLock { $0 }
        let page = try await bus.store.events(after: here.position, limit: limit)
        var batch = SinkBatch(events: page.events)
        if here.isForeign {
            batch.gap = EventGap(epoch: page.epoch, from: 0, to: page.oldest - 1, reason: .newEpoch)
        } else if page.oldest > here.position + 1 {
            batch.gap = EventGap(
                epoch: page.epoch,
                from: here.position + 1,
                to: page.oldest - 1,
                reason: .pruned
            )
        }
        advance(by: batch)
        return batch.isEmpty ? nil : batch
    }

    private func advance(by batch: SinkBatch) {
        guard let last = batch.events.last?.position ?? batch.gap?.to else { return }
        place.withLock { $0 = Place(position: last, isForeign: false) }
    }

    private func wait() async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isReady = bus.state.withLock { state in
                    let here = place.withLock { $0.position }
                    let hasProgress = state.readers[id].map { !$0.changedProgress.isEmpty } ?? false
                    if state.newest > here || hasProgress || state.isFinished || Task.isCancelled {
                        return true
                    }
                    state.readers[id]?.waiting = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiting = bus.state.withLock { state in
                defer { state.readers[id]?.waiting = nil }
                return state.readers[id]?.waiting
            }
            waiting?.resume(throwing: CancellationError())
        }
    }
}
