// A worker as the simulation has it: it keeps its own count of what it runs, as the real one does.

import BelfryCore

struct SimulatedWorker {
    let id: WorkerID
    /// Slots and resources in all.
    let slots: Int
    let resources: [String: Int64]
    let features: [String: Int]
    /// What it believes to run.
    var running: [ClaimedTask] = []

    /// What it asks for in the open ones of `lanes`.
    func request(_ lanes: [Lane: Int], groups: [String: TaskGroup], lease: Lease) -> ClaimRequest {
        var request = ClaimRequest(worker: id, lease: lease, slots: slots, lanes: lanes)
        request.resources = resources
        for lane in lanes.keys {
            request.features[lane.featureID] = features[lane.featureID]
            request.groups[lane.group] = groups[lane.group]?.slots
        }
        for task in running.map(\.task) {
            request.slots -= task.needs.slots
            request.features[task.featureID]? -= 1
            request.groups[task.group]? -= task.needs.slots
            for (name, amount) in task.needs.resources { request.resources[name]? -= amount }
        }
        return request
    }
}

/// What of a request is left, counted here by the plainest of means.
struct ClaimBudget {
    enum Lack: Equatable {
        case ownLimit
        case resource(String)
        case group(String)
        case slots
    }

    var left: ClaimRequest

    /// What is lacking first, in the order in which it is kept for those who wait.
    func lack(for lane: Lane) -> Lack? {
        if left.lanes[lane, default: 0] < 1 || left.features[lane.featureID, default: 1] < 1 {
            return .ownLimit
        }
        for name in lane.needs.resources.keys.sorted()
        where lane.needs.resources[name, default: 0] > left.resources[name, default: 0] {
            return .resource(name)
        }
        if let free = left.groups[lane.group], free < lane.needs.slots { return .group(lane.group) }
        return left.slots < lane.needs.slots ? .slots : nil
    }

    mutating func take(_ lane: Lane) {
        left.slots -= lane.needs.slots
        left.lanes[lane, default: 0] -= 1
        left.features[lane.featureID]? -= 1
        left.groups[lane.group]? -= lane.needs.slots
        for (name, amount) in lane.needs.resources { left.resources[name, default: 0] -= amount }
    }
}

extension ClaimBudget.Lack {
    /// Whether a task of `lane` takes what somebody before it waits for.
    func isTaken(by lane: Lane) -> Bool {
        switch self {
        case .ownLimit: false
        case .resource(let name): lane.needs.resources[name] != nil
        case .group(let name): lane.group == name
        case .slots: true
        }
    }
}
