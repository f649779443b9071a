// Schedules, and two schedulers that look at them and fire when they please: what one of them has decided may
// be old when it fires.

import BelfryCore
import BelfryService
import Foundation

/// A schedule as the simulation knows it.
struct SimulatedSchedule {
    var schedule: Schedule
    let timetable: Timetable
    /// Ticks up to here have been dealt with.
    var covered: Timestamp
    /// The ticks that have become tasks, and those that a unique rule rejected.
    var ticks: Set<Timestamp> = []
    /// How many of them were rejected.
    var rejected: Int64 = 0
    /// Its tasks carry keys that name their tick. Without them the store has the revision alone to go by.
    let isKeyed: Bool
    /// Tells a schedule from another that had its name before.
    let life: Int
}

/// What a scheduler has decided and not yet done.
struct PlannedFiring {
    var firing: ScheduleFiring
    let plan: CatchUpPlan
    let life: Int
    let decidedAt: Timestamp

    var name: String { firing.after.name }
}

extension SimulatedWorld {
    func keepSchedules(_ kind: StepKind) async throws {
        switch kind {
        case .addSchedule: try await addSchedule()
        case .planFiring: try await planFirings()
        case .fire:
            if planned.isEmpty { try await planFirings() }
            guard !planned.isEmpty else { return }
            try await fire(planned.remove(at: random.number(0...planned.count - 1)))
        case .pauseSchedule: try await pauseSchedule()
        default:
            guard let name = random.pick(["morning", "often", "other"]) else { return }
            let wasThere = try await store.removeSchedule(name)
            try ensure(
                wasThere == (schedules.removeValue(forKey: name) != nil),
                "removing \(name): \(wasThere)"
            )
            try await look(.nothing)
        }
    }

    private static let zones = ["UTC", "Europe/Berlin", "America/New_York"].compactMap {
        try? Timetable.zone(named: $0)
    }
    private static let specs = ["every 5m", "every 1h", "*/10 * * * *", "30 2 * * *", "0 * * * *"].compactMap
    {
        try? ScheduleSpec(parsing: $0)
    }

    private func addSchedule() async throws {
        guard let spec = random.pick(Self.specs), let zone = random.pick(Self.zones),
            let name = random.pick(["morning", "often", "other"])
        else { return }
        let timetable = Timetable(spec: spec, zone: zone, anchor: now)
        var new = NewTask(featureID: "paint", params: ["schedule": .string(name)])
        new.options.schedule = name
        if random.once(in: 4) { new.unique = UniqueRule() }
        let schedule = Schedule(
            name: name,
            rule: spec.description,
            zone: zone.identifier,
            catchUp: random.pick(CatchUp.allCases) ?? .once,
            task: new,
            nextAt: timetable.next(after: now),
            at: now
        )
        guard schedules[name] == nil else {
            return try await refused("schedule by the name of another", \.isConflict) {
                try await store.saveSchedule(schedule, replacing: nil)
            }
        }
        try await store.saveSchedule(schedule, replacing: nil)
        tell("\(name): \(spec), \(schedule.catchUp.rawValue)")
        schedules[name] = SimulatedSchedule(
            schedule: schedule,
            timetable: timetable,
            covered: now,
            isKeyed: random.once(in: 2),
            life: steps
        )
        try await look(.nothing)
    }

    private func pauseSchedule() async throws {
        guard let known = schedules.values.min(by: { $0.schedule.name < $1.schedule.name }) else { return }
        var after = known.schedule
        after.isPaused.toggle()
        if !after.isPaused {
            let start = max(now, after.lastTick ?? now)
            after.nextAt = known.timetable.next(after: start)
            schedules[after.name]?.covered = start
        }
        after.revision += 1
        after.updatedAt = now
        let changed = after
        try await refused("change of a schedule that has changed", \.isConflict) {
            try await store.saveSchedule(changed, replacing: known.schedule.revision - 1)
        }
        try await store.saveSchedule(changed, replacing: known.schedule.revision)
        schedules[after.name]?.schedule = changed
        tell("\(after.name) \(after.isPaused ? "paused" : "goes on")")
        try await checkSchedules()
    }

    func checkSchedules() async throws {
        let stored = try await store.schedules()
        let known = schedules.values.map(\.schedule).sorted { $0.name < $1.name }
        try ensure(stored == known, "the schedules are \(known), and the store has \(stored)")
    }

    // MARK: Firing

    /// Looks at all schedules and decides, as `Scheduler` does.
    private func planFirings() async throws {
        for schedule in try await store.schedules() where !schedule.isPaused {
            guard let due = schedule.nextAt, due <= now, let known = schedules[schedule.name] else {
                continue
            }
            let plan = CatchUpPlan(
                for: known.timetable,
                due: due,
                lastMade: schedule.lastTick,
                now: now,
                catchUp: schedule.catchUp,
                bound: Self.bound
            )
            planned.append(makeFiring(schedule, plan, known))
        }
        if planned.count > 6 { planned.removeFirst(planned.count - 6) }
    }

    private static let bound = 4

    private func makeFiring(_ schedule: Schedule, _ plan: CatchUpPlan, _ known: SimulatedSchedule)
        -> PlannedFiring
    {
        let tasks = plan.ticks.map { tick in
            var new = schedule.task
            if known.isKeyed {
                new.idempotencyKey = "schedule \(schedule.name) \(schedule.createdAt.milliseconds) \(tick)"
            }
            return AcceptedTask(id: ids.taskID(at: now), new: new)
        }
        let firing = ScheduleFiring(of: schedule, plan, tasks: tasks, at: now)
        return PlannedFiring(firing: firing, plan: plan, life: known.life, decidedAt: now)
    }

    private func fire(_ planned: PlannedFiring) async throws {
        tell("\(planned.name) \(planned.plan.ticks)")
        let added: [AddedTask]?
        do { added = try await store.fire(planned.firing, at: now) } catch let error as TaskStoreError
            where error.isConflict
        {
            try ensure(
                planned.firing.tasks.contains { $0.new.unique != nil },
                "a firing was refused: \(error)"
            )
            tally.refusals["unique: tick", default: 0] += 1
            try await look(.nothing)
            return try await fireWithoutTasks(planned)
        }
        guard let added else {
            try ensure(!isCurrent(planned), "a firing of \(planned.name) was taken for an old one")
            tally.refusals["firing that is old", default: 0] += 1
            return try await look(.nothing)
        }
        try await hasFired(planned, added)
    }

    private func isCurrent(_ planned: PlannedFiring) -> Bool {
        guard let known = schedules[planned.name] else { return false }
        return known.life == planned.life && known.schedule.revision == planned.firing.revision
    }

    /// Its ticks count as missed, and the schedule goes on.
    private func fireWithoutTasks(_ planned: PlannedFiring) async throws {
        guard let known = schedules[planned.name]?.schedule else {
            throw Broken("\(planned.name) is gone, and fires")
        }
        let firing = ScheduleFiring(of: known, planned.plan, tasks: [], at: planned.decidedAt)
        guard let added = try await store.fire(firing, at: now) else {
            throw Broken("\(planned.name) does not go on")
        }
        var without = planned
        without.firing = firing
        try await hasFired(without, added)
    }

    private func hasFired(_ planned: PlannedFiring, _ added: [AddedTask]) async throws {
        try ensure(isCurrent(planned), "an old firing of \(planned.name) went through")
        guard var known = schedules[planned.name] else { return }
        let plan = planned.plan
        let due = known.timetable.count(after: known.covered, through: planned.decidedAt)
        try ensure(
            due == plan.ticks.count + plan.skipped + plan.dropped,
            "\(planned.name) had \(due) ticks since \(known.covered), and the plan is \(plan)"
        )
        try check(plan, known, at: planned.decidedAt)
        for tick in plan.ticks {
            try ensure(known.ticks.insert(tick).inserted, "\(planned.name) has made its tick \(tick) twice")
        }
        try ensure(
            added.count == planned.firing.tasks.count && added.allSatisfy(\.isNew),
            "\(planned.name) fired \(planned.firing.tasks.count) ticks, and \(added.count(where: \.isNew)) are new"
        )
        for (accepted, answer) in zip(planned.firing.tasks, added) {
            try ledger.enter(answer.task, accepted.new, after: [])
        }
        tally.kinds["ticks", default: 0] += added.count
        known.rejected += Int64(plan.ticks.count - added.count)
        known.covered = max(known.covered, planned.decidedAt)
        known.schedule = planned.firing.after
        schedules[planned.name] = known
        try await look(Permit(subjects: Set(added.map(\.task.id)), events: [.added]))
        try await checkSchedules()
    }

    private func check(_ plan: CatchUpPlan, _ known: SimulatedSchedule, at time: Timestamp) throws {
        let missed = plan.ticks.filter { time.since($0) > CatchUpPlan.grace }.count
        let isRight =
            switch known.schedule.catchUp {
            case .skip: missed == 0
            case .once: missed <= 1
            case .all: plan.skipped == 0 && (plan.dropped == 0 || plan.ticks.count == Self.bound)
            }
        try ensure(isRight, "\(known.schedule.name) catches up \(known.schedule.catchUp.rawValue): \(plan)")
    }
}
