// What a feature reports while it works, told to the hub not more often than is of use.

import BelfryCore
import Synchronization

/// Progress and checkpoints of one attempt: the first at once, then the newest of each twenty times a second.
final class AttemptReports: Sendable {
    enum Report: Sendable {
        /// The message is nil when it has not changed.
        case progress(percent: Double?, message: String?)
        /// Nil forgets.
        case checkpoint(JSONValue?)
        case log(String)
    }

    private struct Progress {
        var percent: Double?
        var message: String?
    }

    private struct State {
        /// Until it ends, reports are kept back.
        var isPausing = false
        var isOver = false
        var progress: Progress?
        /// `.some(nil)` forgets.
        var checkpoint: JSONValue??
    }

    private let tell: @Sendable (Report) -> Void
    /// Held while a report is told, so that they come in order.
    private let state = Mutex(State())
    private let interval = Duration.milliseconds(50)

    init(tell: @escaping @Sendable (Report) -> Void) { self.tell = tell }

    func progress(_ percent: Double?, _ message: String?) {
        keep { state in
            state.progress = Progress(
                percent: percent ?? state.progress?.percent,
                message: message ?? state.progress?.message
            )
        }
    }

    func checkpoint(_ value: JSONValue?) { keep { $0.checkpoint = .some(value) } }

    /// At once, and every time.
    func log(_ text: String) {
        state.withLock { state in
            if !state.isOver { tell(.log(text)) }
        }
    }

    /// Tells the last checkpoint, which counts also when the attempt fails. Progress that was kept is of no use any
    /// more, and nothing is told after this.
    func end() {
        state.withLock { state in
            state.progress = nil
            tellKept(&state)
            state.isOver = true
        }
    }

    private func keep(_ change: (inout State) -> Void) {
        let isFirst = state.withLock { state in
            guard !state.isOver else { return false }
            change(&state)
            guard !state.isPausing else { return false }
            state.isPausing = true
            tellKept(&state)
            return true
        }
        // Not awaited: who reports does not wait for the pause, and the outcome makes it needless.
        if isFirst { Task { await tellAfterPauses() } }
    }

    private func tellAfterPauses() async {
        var isPausing = true
        while isPausing {
            try? await Task.sleep(for: interval)
            isPausing = state.withLock { state in
                state.isPausing = state.progress != nil || state.checkpoint != nil
                tellKept(&state)
                return state.isPausing
            }
        }
    }

    private func tellKept(_ state: inout State) {
        if let progress = state.progress {
            tell(.progress(percent: progress.percent, message: progress.message))
        }
        if let checkpoint = state.checkpoint { tell(.checkpoint(checkpoint)) }
        state.progress = nil
        state.checkpoint = nil
    }
}
