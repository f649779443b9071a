// Coalesces progress: features may report as often as they like, readers hear of each task at
// most ten times a second, and the store at most once.

import BelfryCore
import Logging
import Synchronization

/// The latest progress of running attempts, on its way to readers and the store.
final class ProgressHub: Sendable {
    private struct Value {
        var percent: Double?
        var message: String?
        var isUnpublished = true
    }

    private struct Running {
        let attempt: RunningAttempt
        /// What was last published.
        var percent: Double
    }

    private struct State {
        var running: [TaskID: Running] = [:]
        var changed: [TaskID: Value] = [:]
    }

    private let store: any TaskStore
    private let bus: ObserverBus
    private let clocks: Clocks
    private let logger: Logger
    private let publishInterval = Duration.milliseconds(100)
    private let saveInterval = Duration.seconds(1)
    private let state = Mutex(State())
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(store: any TaskStore, bus: ObserverBus, clocks: Clocks, logger: Logger) {
        self.store = store
        self.bus = bus
        self.clocks = clocks
        self.logger = logger
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func begin(_ attempt: RunningAttempt) {
        state.withLock { $0.running[attempt.id] = Running(attempt: attempt, percent: 0) }
    }

    /// Nothing of the attempt is published after this.
    func end(_ id: TaskID) {
        state.withLock { state in
            state.running[id] = nil
            state.changed[id] = nil
        }
    }

    func report(_ id: TaskID, percent: Double?, message: String?) {
        let isNew = state.withLock { state in
            guard state.running[id] != nil else { return false }
            let wasIdle = state.changed.isEmpty
            let old = state.changed[id]
            let clamped = percent.flatMap { $0.isNaN ? nil : min(100, max(0, $0)) }
            let words = message.map { $0.truncated(toUTF8: 500) }
            state.changed[id] = Value(percent: clamped ?? old?.percent, message: words ?? old?.message)
            return wasIdle || old?.isUnpublished == false
        }
        if isNew { signal.yield() }
    }

    /// Publishes and saves until cancelled. While nothing is reported it sleeps without a timer.
    func run() async {
        var lastSave = clocks.lease.now - saveInterval
        for await _ in signals {
            while !Task.isCancelled {
                publish()
                let isSaveDue = clocks.lease.now - lastSave >= saveInterval
                if isSaveDue {
                    await save()
                    lastSave = clocks.lease.now
                }
                try? await clocks.sleep(publishInterval)
                if state.withLock({ $0.changed.isEmpty }) { break }
            }
        }
    }

    private func publish() {
        let now = clocks.wall.now
        let updates = state.withLock { state in
            var updates: [ProgressUpdate] = []
            for (id, value) in state.changed where value.isUnpublished {
                state.changed[id]?.isUnpublished = false
                if let percent = value.percent { state.running[id]?.percent = percent }
                guard let running = state.running[id] else { continue }
                var summary = TaskSummary(running.attempt.claimed.task)
                summary.progress = running.percent
                updates.append(
                    ProgressUpdate(task: summary, percent: value.percent, message: value.message, time: now)
                )
            }
            return updates
        }
        if !updates.isEmpty { bus.publish(updates) }
    }

    /// Writes what was published to the store. A store that fails loses progress, nothing else.
    private func save() async {
        let values = state.withLock { state in
            defer { state.changed = state.changed.filter { $0.value.isUnpublished } }
            return state.changed.compactMap { id, value in
                state.running[id].map {
                    ProgressValue(
                        claim: $0.attempt.claimed.claim,
                        percent: value.percent,
                        message: value.message
                    )
                }
            }
        }
        guard !values.isEmpty else { return }
        do { _ = try await store.saveProgress(values, at: clocks.wall.now) } catch {
            logger.debug("progress was not saved", metadata: ["error": "\(error)"])
        }
    }
}
