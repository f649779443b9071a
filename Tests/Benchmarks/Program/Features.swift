// Features that cost nothing of their own.

import BelfryCore
import Synchronization

/// Does nothing, and knows when.
final class NoOp: Feature {
    let descriptor: FeatureDescriptor = {
        var descriptor = FeatureDescriptor(id: "noop", title: "Nothing")
        descriptor.makesFiles = false
        return descriptor
    }()
    let started = Mutex<[ContinuousClock.Instant]>([])

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        let now = ContinuousClock.now
        started.withLock { $0.append(now) }
        return TaskResult()
    }
}

/// Runs until it is let go, and keeps what its attempts may report to.
final class Holder: Feature {
    let descriptor: FeatureDescriptor = {
        var descriptor = FeatureDescriptor(id: "hold", title: "Waits")
        descriptor.makesFiles = false
        return descriptor
    }()
    let contexts = Mutex<[FeatureContext]>([])
    let gate = Gate()

    func process(_ params: JSONValue, _ context: FeatureContext) async throws -> TaskResult {
        contexts.withLock { $0.append(context) }
        await gate.wait()
        return TaskResult()
    }
}

/// Closed until it is finished, for any number who wait.
final class Gate: Sendable {
    private let state = Mutex<(isFinished: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isFinished = state.withLock { state in
                if !state.isFinished { state.waiting.append(continuation) }
                return state.isFinished
            }
            if isFinished { continuation.resume() }
        }
    }

    func finish() {
        let waiting = state.withLock { state in
            defer { state = (true, []) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
