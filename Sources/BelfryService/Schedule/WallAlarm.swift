// The alarm of a real machine: a timerfd, which the kernel moves along when the clock is set and which goes
// off after a suspend if its time passed meanwhile. A DispatchSource watches it, so that no thread waits.

public import BelfryCore
import CTimerFD
import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Sleeps until a time of day, across suspend and changes of the clock. Each wait has a descriptor of its own.
public struct WallAlarm: Alarm {
    private let system: TimerCalls
    private let queue = DispatchQueue(label: "belfry.alarm")

    public init() { self.init(system: .real) }

    init(system: TimerCalls) { self.system = system }

    public func wait(until time: Timestamp) async throws -> AlarmReason {
        try Task.checkCancellation()
        let descriptor = system.create()
        guard descriptor >= 0 else { throw TimerCalls.failure("make", -descriptor) }
        let wait = AlarmWait(descriptor, on: queue, system)
        return try await withTaskCancellationHandler {
            try await wait.result(at: time)
        } onCancel: {
            wait.end(.failure(CancellationError()))
        }
    }
}

/// What is asked of the kernel; a test gives other answers.
struct TimerCalls: Sendable {
    /// A descriptor, or a negative error number.
    var create: @Sendable () -> Int32
    /// Sets the time; 0 or an error number.
    var set: @Sendable (Int32, Timestamp) -> Int32
    /// Asks whether it has fired; 0 or an error number.
    var read: @Sendable (Int32) -> Int32
    var close: @Sendable (Int32) -> Void

    static let real = TimerCalls(
        create: { ctimerfd_create() },
        set: { ctimerfd_set($0, $1.milliseconds) },
        read: { ctimerfd_read($0) },
        close: { _ = ctimerfd_close($0) }
    )

    static func failure(_ action: String, _ code: Int32) -> BelfryError {
        BelfryError(
            .internalError,
            "The hub cannot \(action) a timer: \(String(cString: strerror(code))).",
            fix: code == EMFILE || code == ENFILE ? "Raise the limit of open files (ulimit -n)." : nil
        )
    }
}

/// One wait. Whatever ends it first, its source is cancelled, which closes the descriptor.
private final class AlarmWait: Sendable {
    typealias Ending = Result<AlarmReason, any Error>

    private struct State {
        var ending: Ending?
        var waiter: CheckedContinuation<AlarmReason, any Error>?
    }

    private let descriptor: Int32
    private let system: TimerCalls
    /// Unsafe by declaration only: Dispatch lets any thread cancel a source.
    private nonisolated(unsafe) let source: any DispatchSourceRead
    private let state = Mutex(State())

    /// Takes over `descriptor`.
    init(_ descriptor: Int32, on queue: DispatchQueue, _ system: TimerCalls) {
        self.descriptor = descriptor
        self.system = system
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setCancelHandler { system.close(descriptor) }
        source.setEventHandler { [weak self] in self?.fired() }
        source.activate()
    }

    func result(at time: Timestamp) async throws -> AlarmReason {
        try await withCheckedThrowingContinuation { continuation in
            // Set under the lock: once the wait has ended, the number may be another file's.
            let (ending, code) = state.withLock { state -> (Ending?, Int32) in
                if let ending = state.ending { return (ending, 0) }
                state.waiter = continuation
                return (nil, system.set(descriptor, time))
            }
            if let ending { continuation.resume(with: ending) }
            if code != 0 { end(Self.ending(code, "set")) }
        }
    }

    /// Ends the wait, once.
    func end(_ ending: Ending) {
        let waiter: CheckedContinuation<AlarmReason, any Error>? = state.withLock { state in
            guard state.ending == nil else { return nil }
            state.ending = ending
            defer { state.waiter = nil }
            return state.waiter
        }
        source.cancel()
        waiter?.resume(with: ending)
    }

    private func fired() {
        let code = system.read(descriptor)
        // Nothing to read yet: woken in vain.
        if code == EAGAIN || code == EINTR { return }
        end(code == 0 ? .success(.reached) : Self.ending(code, "read"))
    }

    private static func ending(_ code: Int32, _ action: String) -> Ending {
        code == ECANCELED ? .success(.clockWasSet) : .failure(TimerCalls.failure(action, code))
    }
}
