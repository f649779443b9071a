// A hub that runs for weeks with quiet hours ahead: what waits for them is one timer, however much happens.

import BelfryCore
import DesktopTesting
import Logging
import Synchronization
import Testing

@testable import BelfryDesktop

@Suite("Timers of the desktop sink", .timeLimit(.minutes(1)))
struct TimerTests {
    private struct Noon: WallClock {
        let now = Timestamp("2026-11-24T12:00:00.000Z")!
    }

    @Test("however often something is due, few timers wait for quiet hours")
    func few() async throws {
        let longSleeps = Mutex(0)
        var configuration = DesktopConfiguration()
        configuration.progressDelay = .milliseconds(20)
        configuration.quietHours = try QuietHours(["04:00-04:30"], place: "quiet_hours")
        var parts = DesktopSink.Parts(
            configuration: configuration,
            control: RecordingControl(),
            opener: RecordingOpener(),
            environment: [:],
            clocks: Clocks(
                wall: Noon(),
                sleep: { duration in
                    if duration > .seconds(60) { longSleeps.withLock { $0 += 1 } }
                    try await ContinuousClock().sleep(for: duration)
                }
            ),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        parts.address = { nil }
        let sink = DesktopSink(parts)
        let running = Task { await sink.run() }  // Awaited below, whatever happens.
        var tasks = ExampleTasks()
        for number in 1...6 {
            let (id, added) = tasks.add("Task \(number)", at: Noon().now)
            try await sink.deliver(SinkBatch(events: [added, tasks.start(id, at: Noon().now)]))
            try await eventually("the task to be old enough") {
                await sink.director.planner.young.isEmpty ? true : nil
            }
            try await sink.deliver(SinkBatch(events: [tasks.complete(id, at: Noon().now)]))
            try await eventually("nothing to be due but the quiet hours, and a timer for them") {
                let (planner, armed) = await (sink.director.planner, sink.director.armed)
                let now = SystemLeaseClock().now
                let isFar = planner.nextDue(after: now).map { $0 - now > .seconds(60) } ?? false
                return isFar && armed.contains { $0 - now > .seconds(60) } ? true : nil
            }
        }
        running.cancel()
        await running.value
        #expect(longSleeps.withLock { $0 } <= 2)
    }
}
