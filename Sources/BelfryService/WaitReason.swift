// Why a task waits, in words: what every list shows beside a pending task.

public import BelfryCore
import Synchronization

/// What keeps a pending task from running now. The first that holds is told.
public struct WaitReason: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case stashed, dependency, time, paused, feature, capacity, disk, groupLimit, featureLimit, resource,
            slots
        /// Others of higher priority, or that came earlier, are next.
        case queue
    }

    public var kind: Kind
    /// A few words for people, such as `comes after #12`.
    public var text: String

    public init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }

    /// `{"for":"resource","text":"needs gpu=1: #9 has it"}`
    public var json: JSONValue { ["for": .string(kind.rawValue), "text": .string(text)] }
}

/// What is taken at one moment, to tell waiting tasks from.
struct Occupancy {
    var slots: Int
    var usedSlots = 0
    var features: [String: Int] = [:]
    var groups: [String: Int] = [:]
    /// By resource: how much is taken, and by which tasks.
    var resources: [String: (amount: Int64, tasks: [Int64])] = [:]
    var freeBelowReserve: Int64?

    init(slots: Int, running: [BackgroundTask], freeBelowReserve: Int64?) {
        self.slots = slots
        self.freeBelowReserve = freeBelowReserve
        for task in running.sorted(by: { $0.number < $1.number }) {
            usedSlots += task.needs.slots
            features[task.featureID, default: 0] += 1
            groups[task.group, default: 0] += task.needs.slots
            for (name, amount) in task.needs.resources {
                resources[name, default: (0, [])].amount += amount
                resources[name]?.tasks.append(task.number)
            }
        }
    }
}

extension TaskWorker {
    var occupancy: Occupancy {
        state.withLock { state in
            Occupancy(
                slots: max(1, configuration.concurrency),
                running: state.running.values.map(\.claimed.task),
                freeBelowReserve: state.freeBelowReserve
            )
        }
    }

    /// Why `task` waits; nil unless it is pending.
    func waitReason(of task: BackgroundTask, after dependencies: [TaskDependency], _ now: Occupancy)
        -> WaitReason?
    {
        guard task.status == .pending else { return nil }
        return ownReason(task, dependencies) ?? hubReason(task, now) ?? shareReason(task, now)
            ?? WaitReason(.queue, "next in line")
    }

    /// What lies in the task itself.
    private func ownReason(_ task: BackgroundTask, _ dependencies: [TaskDependency]) -> WaitReason? {
        if task.isStashed {
            return WaitReason(.stashed, "put aside: belfry release \(task.number)")
        }
        let open = dependencies.filter { !$0.isSatisfied }
        if !open.isEmpty {
            let numbers = open.prefix(5).map { "#\($0.number)" }.joined(separator: ", ")
            return WaitReason(.dependency, "comes after \(numbers)\(open.count > 5 ? " …" : "")")
        }
        if let time = task.notBefore, time > clocks.wall.now {
            return WaitReason(.time, "not before \(time)")
        }
        return nil
    }

    /// What lies in how the hub is set up, and in its machine.
    private func hubReason(_ task: BackgroundTask, _ now: Occupancy) -> WaitReason? {
        if groups[TaskGroup.all].state == .paused {
            return WaitReason(.paused, "everything is paused: belfry resume")
        }
        if groups[task.group].state == .paused {
            return WaitReason(.paused, "its group is paused: belfry group resume \(task.group)")
        }
        guard features[task.featureID] != nil else {
            let reason = features.whyUnavailable(task.featureID)?.reason ?? "there is no such feature now"
            return WaitReason(.feature, "\(task.featureID): \(reason)")
        }
        if let lack = configuration.capacity.lack(for: task.needs, slots: now.slots) {
            return WaitReason(.capacity, lack)
        }
        if let free = now.freeBelowReserve {
            return WaitReason(.disk, "only \(free >> 20) MiB are free on the disk with the results")
        }
        return nil
    }

    /// What others have taken.
    private func shareReason(_ task: BackgroundTask, _ now: Occupancy) -> WaitReason? {
        if let limit = groups[task.group].slots, now.groups[task.group, default: 0] + task.needs.slots > limit
        {
            return WaitReason(.groupLimit, "the group \(task.group) has \(limit) slots, and they are in use")
        }
        if let limit = features[task.featureID]?.descriptor.concurrency,
            now.features[task.featureID, default: 0] >= limit
        {
            return WaitReason(.featureLimit, "\(task.featureID) runs \(limit) at a time")
        }
        for (name, amount) in task.needs.resources.sorted(by: { $0.key < $1.key }) {
            guard let taken = now.resources[name],
                taken.amount + amount > configuration.capacity.resources[name, default: 0]
            else { continue }
            let holders = taken.tasks.prefix(3).map { "#\($0)" }.joined(separator: ", ")
            return WaitReason(.resource, "needs \(name)=\(amount): \(holders) has it")
        }
        if now.usedSlots + task.needs.slots > now.slots {
            return WaitReason(.slots, "\(now.usedSlots) of \(now.slots) slots are in use")
        }
        return nil
    }
}
