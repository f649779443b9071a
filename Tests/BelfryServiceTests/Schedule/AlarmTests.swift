// The alarm of a real machine, and the one whose clock tests turn. The machine's clock is never set: what the
// kernel would say then is put in its mouth.

import BelfryCore
import BelfryTesting
import FoundationEssentials
import Glibc
import Synchronization
import Testing

@testable import BelfryService

@Suite("Wall alarm", .timeLimit(.minutes(1)))
struct WallAlarmTests {
    @Test("it wakes when the wall clock has reached the time, not before")
    func reached() async throws {
        let time = SystemWallClock().now.adding(.milliseconds(150))
        #expect(try await WallAlarm().wait(until: time) == .reached)
        #expect(SystemWallClock().now >= time)
    }

    @Test(
        "a time that has passed is reached at once",
        arguments: [-1000, -1_000_000_000_000_000, Int64.min / 2]
    )
    func past(_ milliseconds: Int64) async throws {
        let now = SystemWallClock().now.milliseconds
        let time = Timestamp(milliseconds: milliseconds == -1000 ? now - 1000 : milliseconds)
        #expect(try await WallAlarm().wait(until: time) == .reached)
    }

    @Test("the clock that is set while it waits wakes it")
    func clockSet() async throws {
        // Fires for the time; the kernel's answer is the one to a set clock.
        let log = TimerLog(read: [EAGAIN, ECANCELED])
        #expect(try await WallAlarm(system: log.calls).wait(until: SystemWallClock().now) == .clockWasSet)
        await log.allClosed()
    }

    @Test("the clock that is set before it waits wakes it as well")
    func clockSetBefore() async throws {
        let log = TimerLog(set: ECANCELED)
        let far = SystemWallClock().now.adding(.seconds(3600))
        #expect(try await WallAlarm(system: log.calls).wait(until: far) == .clockWasSet)
        await log.allClosed()
    }

    @Test("a failing timer is an error that says what failed, and leaves nothing open")
    func failures() async throws {
        let soon = SystemWallClock().now
        for (log, text) in [
            (TimerLog(create: -EMFILE), "make"), (TimerLog(set: EINVAL), "set"),
            (TimerLog(read: [EIO]), "read"),
        ] {
            let error = await #expect(throws: BelfryError.self) {
                _ = try await WallAlarm(system: log.calls).wait(until: soon)
            }
            #expect(error?.code == .internalError)
            #expect(error?.message.contains("cannot \(text) a timer") == true)
            #expect((error?.fix != nil) == (text == "make"))
            await log.allClosed()
        }
    }

    @Test("cancelling ends the wait and closes the timer, also when it came first")
    func cancelled() async throws {
        let log = TimerLog()
        let far = SystemWallClock().now.adding(.seconds(3600))
        await withThrowingTaskGroup(of: AlarmReason.self) { group in
            group.addTask { try await WallAlarm(system: log.calls).wait(until: far) }
            await log.isSet()
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.next() }
            group.addTask { try await WallAlarm(system: log.calls).wait(until: far) }
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
        await log.allClosed()
    }

    @Test("many alarms at once wake each at its time and leave nothing open")
    func many() async throws {
        let log = TimerLog()
        let alarm = WallAlarm(system: log.calls)
        let start = SystemWallClock().now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                let time = start.adding(.milliseconds(index % 20))
                group.addTask {
                    let reason = try await alarm.wait(until: time)
                    #expect(reason == .reached)
                    #expect(SystemWallClock().now >= time)
                }
            }
            try await group.waitForAll()
        }
        await log.allClosed()
    }

    @Test("any time can be set, the farthest too", arguments: [Int64.min, 0, 1, Int64.max])
    func anyTime(_ milliseconds: Int64) {
        let descriptor = TimerCalls.real.create()
        defer { TimerCalls.real.close(descriptor) }
        #expect(TimerCalls.real.set(descriptor, Timestamp(milliseconds: milliseconds)) == 0)
    }

    @Test("the kernel has a timer on the wall clock, set to a time, that ends when the clock is set")
    func flags() throws {
        let descriptor = TimerCalls.real.create()
        defer { TimerCalls.real.close(descriptor) }
        #expect(TimerCalls.real.set(descriptor, Timestamp(milliseconds: .max)) == 0)
        let details = try String(contentsOfFile: "/proc/self/fdinfo/\(descriptor)", encoding: .utf8)
        // CLOCK_REALTIME, and TFD_TIMER_ABSTIME with TFD_TIMER_CANCEL_ON_SET.
        #expect(details.contains("clockid: 0\n"))
        #expect(details.contains("settime flags: 03\n"))
    }

    @Test("no program that is started has a timer open")
    func closedOnExec() throws {
        let descriptor = TimerCalls.real.create()
        defer { TimerCalls.real.close(descriptor) }
        #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }
}

/// The kernel's calls, with answers that a test chooses, and a list of what is open.
private final class TimerLog: Sendable {
    private let state: Mutex<State>

    private struct State {
        var create: Int32
        var set: Int32
        var read: [Int32]
        var open = 0
        var sets = 0
        var waiters: [(isDue: @Sendable (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    /// - Parameters:
    ///   - create: an error number below zero. Defaults to 0: the kernel makes one.
    ///   - set: an error number. Defaults to 0: the kernel sets it.
    ///   - read: error numbers, one each time. Defaults to none: the kernel's answer.
    init(create: Int32 = 0, set: Int32 = 0, read: [Int32] = []) {
        state = Mutex(State(create: create, set: set, read: read))
    }

    var calls: TimerCalls {
        TimerCalls(create: create, set: set, read: read, close: close)
    }

    /// Returns when no timer is open.
    func allClosed() async { await wait { $0.open == 0 } }

    /// Returns when a timer has been set.
    func isSet() async { await wait { $0.sets > 0 } }

    private func wait(until isDue: @escaping @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            change { $0.waiters.append((isDue, continuation)) }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let due = state.withLock { state in
            body(&state)
            let due = state.waiters.filter { $0.isDue(state) }
            state.waiters = state.waiters.filter { !$0.isDue(state) }
            return due.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    private func create() -> Int32 {
        let answer = state.withLock { $0.create }
        if answer < 0 { return answer }
        change { $0.open += 1 }
        return TimerCalls.real.create()
    }

    private func set(_ descriptor: Int32, _ time: Timestamp) -> Int32 {
        let answer = state.withLock { $0.set }
        let code = answer == 0 ? TimerCalls.real.set(descriptor, time) : answer
        change { $0.sets += 1 }
        return code
    }

    private func read(_ descriptor: Int32) -> Int32 {
        let answer = state.withLock { $0.read.isEmpty ? nil : $0.read.removeFirst() }
        return answer ?? TimerCalls.real.read(descriptor)
    }

    private func close(_ descriptor: Int32) {
        TimerCalls.real.close(descriptor)
        change { $0.open -= 1 }
    }
}

@Suite("Manual alarm", .timeLimit(.minutes(1)))
struct ManualAlarmTests {
    /// Waits for 07:00 on an alarm at midnight while `body` moves its clock.
    private func wait(_ body: (ManualAlarm) async -> Void) async throws -> AlarmReason? {
        let alarm = ManualAlarm()
        let time = alarm.clock.now.adding(.seconds(7 * 3600))
        return try await withThrowingTaskGroup(of: AlarmReason.self) { group in
            group.addTask { try await alarm.wait(until: time) }
            await alarm.hasSleeper()
            #expect(alarm.waiting == [time])
            await body(alarm)
            return try await group.next()
        }
    }

    @Test("it wakes when its clock is turned to the time, not before")
    func reached() async throws {
        let reason = try await wait { alarm in
            alarm.advance(by: .seconds(7 * 3600 - 1))
            #expect(alarm.waiting.count == 1)
            alarm.advance(by: .seconds(1))
            #expect(alarm.waiting == [])
        }
        #expect(reason == .reached)
    }

    @Test("setting its clock wakes all, forwards and back", arguments: [-3600, 3600, 86_400])
    func clockSet(_ seconds: Int64) async throws {
        let reason = try await wait { alarm in
            let time = alarm.clock.now.adding(.seconds(seconds))
            alarm.setClock(to: time)
            #expect(alarm.clock.now == time)
        }
        #expect(reason == .clockWasSet)
    }

    @Test("a time that has passed is reached at once")
    func past() async throws {
        let alarm = ManualAlarm()
        #expect(try await alarm.wait(until: alarm.clock.now) == .reached)
    }

    @Test("cancelling ends the wait, also when it came first")
    func cancelled() async throws {
        let alarm = ManualAlarm()
        let time = alarm.clock.now.adding(.seconds(1))
        await withThrowingTaskGroup(of: AlarmReason.self) { group in
            group.addTask { try await alarm.wait(until: time) }
            await alarm.hasSleeper()
            group.cancelAll()
            await #expect(throws: CancellationError.self) { try await group.next() }
            #expect(alarm.waiting == [])
            group.addTask { try await alarm.wait(until: time) }
            await #expect(throws: CancellationError.self) { try await group.next() }
        }
    }
}
