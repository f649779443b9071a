// The conversation with one run of an observer: what was handed over, and what was answered. However much the
// program prints, only the newest answer is kept.

import BelfryCore
import Synchronization

/// What is in the hands of one process, and how it answers.
final class ObserverTalk: Sendable {
    /// What a delivery hears of.
    enum News: Sendable {
        /// Everything up to this position is done.
        case reached(Int64)
        case rejected(Int64, String)
        case retry(Int64, String, after: Duration?)
        /// It said nothing for too long.
        case silent
        /// The process has ended, for this reason.
        case over(String)

        /// Whether the program said it, and works.
        var isAnswer: Bool {
            switch self {
            case .reached, .rejected, .retry: true
            case .silent, .over: false
            }
        }
    }

    private struct State {
        /// Positions that are handed over and not answered, ascending.
        var open: [Int64] = []
        var reached: Int64?
        var refusal: News?
        /// Whether something was refused since the last hand-over; what is answered after that counts no more.
        var isRefused = false
        var isSilent = false
        var end: String?
        var hasBegun = false
        var isDismissed = false
        /// Lines that were understood.
        var signs = 0
        var firstGarbage: String?
        var status: String?
        var listener: CheckedContinuation<Void, Never>?
    }

    let channel = PluginChannel()
    private let state = Mutex(State())
    private let ending: AsyncStream<Void>
    private let ended: AsyncStream<Void>.Continuation

    init() { (ending, ended) = AsyncStream.makeStream() }

    /// What the program last said about itself.
    var status: String? { state.withLock { $0.status } }
    var isBusy: Bool { state.withLock { !$0.open.isEmpty } }
    var isOver: Bool { state.withLock { $0.end != nil } }
    /// Whether it was asked to end.
    var isDismissed: Bool { state.withLock { $0.isDismissed } }
    var hasBegun: Bool { state.withLock { $0.hasBegun } }
    var firstGarbage: String? { state.withLock { $0.firstGarbage } }
    /// The events that wait for an answer.
    var positions: [Int64] { state.withLock { $0.open } }

    /// Asks the program to end.
    func dismiss(_ stop: PluginChannel.Stop) {
        state.withLock { $0.isDismissed = true }
        channel.stop(stop)
    }

    // MARK: For a delivery

    /// Notes what is handed over next. What was open before is forgotten.
    func handOver(_ positions: [Int64]) {
        state.withLock { state in
            (state.open, state.reached, state.refusal) = (positions, nil, nil)
            (state.isRefused, state.isSilent) = (false, false)
        }
    }

    /// Whether more is in the program's hands than what it has answered.
    func letGo() -> Bool {
        state.withLock { state in
            defer { state.open = [] }
            return !state.open.isEmpty
        }
    }

    /// The next news; waits for it.
    ///
    /// - Throws: `CancellationError`.
    func next() async throws -> News {
        while true {
            try Task.checkCancellation()
            if let news = state.withLock({ Self.news(&$0) }) { return news }
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        if Self.hasNews(state) || Task.isCancelled { return true }
                        state.listener = continuation
                        return false
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                wake()
            }
        }
    }

    private static func hasNews(_ state: State) -> Bool {
        state.reached != nil || state.refusal != nil || state.isSilent || state.end != nil
    }

    private static func news(_ state: inout State) -> News? {
        if let reached = state.reached.take() { return .reached(reached) }
        if let refusal = state.refusal.take() { return refusal }
        if let end = state.end { return .over(end) }
        return state.isSilent ? .silent : nil
    }

    /// Returns when nothing was heard of the program for `time`, or up to twice as long.
    func silence(_ time: Duration, sleep: @Sendable (Duration) async throws -> Void) async throws {
        var seen = -1
        while true {
            try await sleep(time)
            let (signs, hasBegun) = state.withLock { ($0.signs, $0.hasBegun) }
            // Before it runs there is nothing to be heard.
            if hasBegun, signs == seen { break }
            seen = hasBegun ? signs : -1
        }
        state.withLock { $0.isSilent = true }
        wake()
    }

    // MARK: For the process

    func begin() { state.withLock { $0.hasBegun = true } }

    func take(_ line: String) {
        let answer = ObserverAnswer(line)
        state.withLock { Self.note(answer, line, in: &$0) }
        wake()
    }

    private static func note(_ answer: ObserverAnswer?, _ line: String, in state: inout State) {
        switch answer {
        case .ack(let position) where !state.isRefused && state.open.contains(position):
            state.open.removeAll { $0 <= position }
            state.reached = position
        case .reject(let position, let reason) where state.open.contains(position):
            refuse(position, .rejected(position, reason.truncated(toUTF8: 1024)), in: &state)
        case .retry(let position, let reason, let after) where state.open.contains(position):
            refuse(position, .retry(position, reason.truncated(toUTF8: 1024), after: after), in: &state)
        case .status(let text): state.status = text.isEmpty ? nil : text.truncated(toUTF8: 256)
        default:
            // An answer to what it was not given tells nothing either.
            state.firstGarbage = state.firstGarbage ?? line.truncated(toUTF8: 200)
            return
        }
        state.signs += 1
    }

    /// The first refusal counts: what is handed over behind it will come again.
    private static func refuse(_ position: Int64, _ refusal: News, in state: inout State) {
        guard !state.isRefused else { return }
        state.isRefused = true
        if let before = state.open.last(where: { $0 < position }) { state.reached = before }
        state.open.removeAll { $0 <= position }
        state.refusal = refusal
    }

    func end(_ reason: String) {
        state.withLock { $0.end = reason }
        ended.finish()
        wake()
    }

    /// Returns when the process is gone.
    func waitForEnd() async { for await _ in ending {} }

    private func wake() { state.withLock { $0.listener.take() }?.resume() }
}
