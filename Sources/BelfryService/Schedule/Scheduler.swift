// Makes tasks of schedules when their time comes. What is due is decided by `CatchUpPlan`; that each tick
// makes one task, whatever crashes, is the store's: task and schedule move on in one transaction.

import BelfryCore
public import Logging
public import ServiceLifecycle
import Synchronization

/// Fires schedules. It sleeps until the next tick of any, and while there is none, without a timer.
public final class Scheduler: Service {
    private let service: BackgroundTaskService
    private let alarm: any Alarm
    private let logger: Logger
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private let waits: AsyncStream<Timestamp>
    private let wait: AsyncStream<Timestamp>.Continuation
    /// The time that an alarm is set for.
    private let armedFor = Mutex<Timestamp?>(nil)

    /// - Parameter alarm: wakes at a time of day. Defaults to the system's, which follows clock changes and
    ///   suspend.
    public init(_ service: BackgroundTaskService, alarm: any Alarm = WallAlarm(), logger: Logger) {
        self.service = service
        self.alarm = alarm
        self.logger = logger
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (waits, wait) = AsyncStream.makeStream()
    }

    /// Says that a schedule was made, changed or removed.
    public func wake() { signal.yield() }

    public func run() async {
        wake()
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask { await self.setAlarms() }
                for await _ in self.signals { await self.fireAndArm() }
                group.cancelAll()
            }
        }
    }

    /// Fires what is due and sets an alarm for what comes next.
    private func fireAndArm() async {
        var failures = 0
        while !Task.isCancelled {
            do {
                if let next = try await fireDue() { arm(next) }
                return
            } catch {
                failures += 1
                if failures == 1 {
                    logger.error("cannot fire schedules; trying again", metadata: ["error": "\(error)"])
                }
                try? await service.clocks.sleep(Backoff.delay(failures, upTo: .seconds(30)))
            }
        }
    }

    private func arm(_ next: Timestamp) {
        let isSooner = armedFor.withLock { armed in
            if let time = armed, time <= next { return false }
            armed = next
            return true
        }
        if isSooner { wait.yield(next) }
    }

    /// Wakes at each time that is asked for, and whenever the clock is set.
    private func setAlarms() async {
        await withDiscardingTaskGroup { group in
            for await time in waits {
                group.addTask {
                    do { _ = try await self.alarm.wait(until: time) } catch is CancellationError {
                        return
                    } catch {
                        self.logger.error("cannot set an alarm", metadata: ["error": "\(error)"])
                        try? await self.service.clocks.sleep(.seconds(30))
                    }
                    self.armedFor.withLock { if $0 == time { $0 = nil } }
                    self.signal.yield()
                }
            }
        }
    }

    /// Fires what is due.
    ///
    /// - Returns: when to look again; nil when nothing is to come.
    func fireDue() async throws -> Timestamp? {
        var next: Timestamp?
        for schedule in try await service.store.schedules() where !schedule.isPaused {
            guard let due = schedule.nextAt else { continue }
            let coming = due <= service.clocks.wall.now ? try await fire(schedule, due: due) : due
            if let coming { next = min(next ?? coming, coming) }
        }
        return next
    }

    private func fire(_ schedule: Schedule, due: Timestamp) async throws -> Timestamp? {
        let now = service.clocks.wall.now
        let plan = CatchUpPlan(
            for: try Timetable(of: schedule),
            due: due,
            lastMade: schedule.lastTick,
            now: now,
            catchUp: schedule.catchUp
        )
        tell(plan, of: schedule)
        // Refused when the schedule has changed meanwhile: then the next look decides anew.
        guard let added = try await fire(schedule, plan, tasks(of: schedule, plan, at: now), at: now) else {
            return now
        }
        service.wasAdded(added)
        return plan.next
    }

    private func tasks(of schedule: Schedule, _ plan: CatchUpPlan, at now: Timestamp) -> [AcceptedTask] {
        plan.ticks.compactMap { tick in
            do { return try service.task(of: schedule, for: tick, at: now) } catch {
                // A plugin that is away, a file that is gone: this tick makes no task, and the next may.
                logger.error(
                    "a schedule could not make its task",
                    metadata: ["schedule": "\(schedule.name)", "error": "\(error)"]
                )
                return nil
            }
        }
    }

    /// A unique rule may reject tasks: all but the first, because they are the same, or every one, because there
    /// is one already. Their ticks are missed ones then, and the schedule goes on.
    private func fire(_ schedule: Schedule, _ plan: CatchUpPlan, _ tasks: [AcceptedTask], at now: Timestamp)
        async throws -> [AddedTask]?
    {
        for tasks in [tasks, Array(tasks.prefix(1))] {
            let firing = ScheduleFiring(of: schedule, plan, tasks: tasks, at: now)
            do { return try await service.store.fire(firing, at: now) } catch TaskStoreError.conflict(
                let reason
            ) {
                logger.notice(
                    "a tick made no task",
                    metadata: ["schedule": "\(schedule.name)", "reason": "\(reason)"]
                )
            }
        }
        return try await service.store.fire(ScheduleFiring(of: schedule, plan, tasks: [], at: now), at: now)
    }

    private func tell(_ plan: CatchUpPlan, of schedule: Schedule) {
        if plan.skipped + plan.dropped > 0 {
            logger.warning(
                "ticks of a schedule were missed",
                metadata: [
                    "schedule": "\(schedule.name)", "leftOut": "\(plan.skipped)",
                    "tooMany": "\(plan.dropped)",
                    "made": "\(plan.ticks.count)",
                ]
            )
        }
        if let ahead = plan.heldBack, ahead > .seconds(60) {
            logger.warning(
                "a schedule waits for the clock to come to its last tick",
                metadata: ["schedule": "\(schedule.name)", "seconds": "\(Int(ahead.seconds))"]
            )
        }
    }
}

extension Timetable {
    /// - Throws: ``BelfryError`` when the rule or the zone cannot be read.
    init(of schedule: Schedule) throws {
        self.init(
            spec: try ScheduleSpec(parsing: schedule.rule, pointer: "/rule"),
            zone: try Timetable.zone(named: schedule.zone),
            anchor: schedule.createdAt
        )
    }
}
