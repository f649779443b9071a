// What people do with schedules: make them, look at them, hold them, run them now.

public import BelfryCore

extension BackgroundTaskService {
    public func schedules() async throws -> [Schedule] {
        try await translated { try await store.schedules() }
    }

    /// - Throws: ``BelfryError`` `not_found` with the closest name.
    public func schedule(_ name: String) async throws -> Schedule {
        let all = try await schedules()
        if let schedule = all.first(where: { $0.name == name }) { return schedule }
        let hint = NameSuggestion.closest(to: name, among: all.map(\.name)).map { "; did you mean '\($0)'?" }
        throw BelfryError(
            .notFound,
            "There is no schedule '\(name)'\(hint ?? ".")",
            fix: "See: belfry schedule list"
        )
    }

    /// Makes a schedule. Its task is checked as a submission is.
    ///
    /// - Parameters:
    ///   - rule: cron (`0 7 * * mon-fri`, `@daily`) or an interval (`every 15m`).
    ///   - zone: of the IANA's database, such as `Europe/Berlin`.
    /// - Throws: ``BelfryError``: `invalid_request`, `conflict` when there is one of that name, and all that
    ///   ``addTask(_:)`` throws.
    @discardableResult
    public func addSchedule(
        _ name: String,
        rule: String,
        zone: String,
        catchUp: CatchUp = .once,
        task: NewTask
    ) async throws -> Schedule {
        try Schedule.check(name: name)
        let now = clocks.wall.now
        let spec = try ScheduleSpec(parsing: rule, pointer: "/rule")
        let timetable = Timetable(spec: spec, zone: try Timetable.zone(named: zone), anchor: now)
        guard task.id == nil, task.idempotencyKey == nil, task.after.isEmpty, task.notBefore == nil,
            task.deadline == nil
        else {
            throw BelfryError(
                .invalidRequest,
                "The task of a schedule has no id, no key, no times of day and nothing that it comes after.",
                fix: "Use delaySeconds and timeoutSeconds, which count from each tick.",
                pointer: "/task"
            )
        }
        // Refused now rather than at every tick.
        _ = try accept(task, batch: nil, at: now)
        var schedule = Schedule(
            name: name,
            rule: spec.description,
            zone: zone,
            catchUp: catchUp,
            task: task,
            nextAt: timetable.next(after: now),
            at: now
        )
        schedule.task.options.schedule = name
        let schema = try features.feature(task.featureID).descriptor.paramsSchema
        schedule.task.params = SecretParams.sealed(task.params, by: schema)
        try await translated { try await store.saveSchedule(schedule, replacing: nil) }
        return schedule
    }

    /// Holds a schedule, or lets it go on. Ticks in between are not made up for.
    @discardableResult
    public func setPaused(_ isPaused: Bool, schedule name: String) async throws -> Schedule {
        // A tick may come between reading and writing: then it is read again.
        for _ in 0..<10 {
            let schedule = try await schedule(name)
            guard schedule.isPaused != isPaused else { return schedule }
            let after = try paused(schedule, isPaused)
            do {
                try await store.saveSchedule(after, replacing: schedule.revision)
                return after
            } catch TaskStoreError.conflict { continue } catch { try await translated { throw error } }
        }
        throw BelfryError(.conflict, "The schedule '\(name)' changes too fast.", fix: "Try again.")
    }

    private func paused(_ schedule: Schedule, _ isPaused: Bool) throws -> Schedule {
        let now = clocks.wall.now
        var after = schedule
        after.isPaused = isPaused
        if !isPaused {
            after.nextAt = try Timetable(of: schedule).next(after: max(now, schedule.lastTick ?? now))
        }
        after.revision += 1
        after.updatedAt = now
        return after
    }

    /// Makes the schedule's task now; its ticks stay as they are.
    public func runNow(schedule name: String) async throws -> BackgroundTask {
        let schedule = try await schedule(name)
        var task = schedule.task
        task.options.schedule = schedule.name
        return try await addTask(task).task
    }

    /// - Throws: ``BelfryError`` `not_found`.
    public func removeSchedule(_ name: String) async throws {
        _ = try await schedule(name)
        _ = try await translated { try await store.removeSchedule(name) }
    }

    /// The next times of a schedule.
    public func nextTicks(of schedule: Schedule, count: Int) throws -> [Timestamp] {
        guard var time = schedule.nextAt, !schedule.isPaused else { return [] }
        let timetable = try Timetable(of: schedule)
        var ticks = [time]
        while ticks.count < count, let next = timetable.next(after: time) {
            ticks.append(next)
            time = next
        }
        return ticks
    }

    /// The task of one tick. Its key names the tick, so that it cannot be made twice.
    func task(of schedule: Schedule, for tick: Timestamp, at now: Timestamp) throws -> AcceptedTask {
        var task = schedule.task
        task.options.schedule = schedule.name
        task.idempotencyKey = "schedule \(schedule.name) \(schedule.createdAt.milliseconds) \(tick)"
        return try accept(task, batch: nil, at: now)
    }
}
