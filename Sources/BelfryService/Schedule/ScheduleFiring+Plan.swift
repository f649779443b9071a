// What a plan makes of a schedule. One place, for the scheduler and for the simulation of it.

public import BelfryCore

extension ScheduleFiring {
    /// The firing that carries out `plan`, with the tasks that its ticks became. Ticks that became none count as
    /// missed.
    public init(of schedule: Schedule, _ plan: CatchUpPlan, tasks: [AcceptedTask], at now: Timestamp) {
        var after = schedule
        after.nextAt = plan.next
        after.lastTick = plan.ticks.last ?? after.lastTick
        after.lastTask = tasks.last?.id ?? after.lastTask
        after.made += Int64(tasks.count)
        after.missed += Int64(plan.skipped + plan.dropped + plan.ticks.count - tasks.count)
        after.revision += 1
        after.updatedAt = now
        self.init(revision: schedule.revision, tasks: tasks, after: after)
    }
}
