// Which of the next tasks start: the one place that knows what fits. Stores offer it the first tasks of
// each lane in order and take what it says.

/// Gives out what a claim request has free, task by task, in the order of the queue.
///
/// A task that does not fit keeps for itself what it lacks: later tasks may take everything else, but
/// not that. So a task that needs four slots gets them as they come free, and is not passed by a stream
/// of small ones; and one that waits for the GPU holds up only who needs the GPU too.
public struct ClaimPlan {
    private var slots: Int
    private var lanes: [Lane: Int]
    private var groups: [String: Int]
    private var features: [String: Int]
    private var resources: [String: Int64]
    private var shut: Set<Lane> = []

    public init(_ request: ClaimRequest) {
        slots = request.slots
        lanes = request.lanes
        groups = request.groups
        features = request.features
        resources = request.resources
    }

    /// Nothing more can be taken.
    public var isFull: Bool { slots <= 0 || shut.count == lanes.count }

    /// How many tasks of `lane` are worth looking at.
    public func limit(of lane: Lane) -> Int {
        let needs = lane.needs
        var limit = min(lanes[lane] ?? 0, slots / needs.slots + (slots % needs.slots > 0 ? 1 : 0))
        if let free = features[lane.featureID] { limit = min(limit, max(free, 0)) }
        return max(limit, 0)
    }

    /// Takes the next task of `lane`, when it fits.
    ///
    /// - Returns: whether it starts. When it does not, nothing more of this lane is taken.
    public mutating func take(_ lane: Lane) -> Bool {
        guard !shut.contains(lane) else { return false }
        guard fits(lane) else {
            keepWhatIsLacking(for: lane)
            shut.insert(lane)
            return false
        }
        slots -= lane.needs.slots
        lanes[lane, default: 0] -= 1
        groups[lane.group]? -= lane.needs.slots
        features[lane.featureID]? -= 1
        for (name, amount) in lane.needs.resources { resources[name, default: 0] -= amount }
        return true
    }

    private func fits(_ lane: Lane) -> Bool {
        let needs = lane.needs
        return slots >= needs.slots && lanes[lane, default: 0] > 0
            && groups[lane.group].map { $0 >= needs.slots } ?? true
            && features[lane.featureID].map { $0 > 0 } ?? true
            && needs.resources.allSatisfy { resources[$0.key, default: 0] >= $0.value }
    }

    /// What a task needs is held for it piece by piece, up to the first that is lacking, of which all is kept:
    /// resources in the order of their names, then slots of the group, then slots. One order for all, so that
    /// a task that needs two things gets both in the end, however many others need only one of them.
    private mutating func keepWhatIsLacking(for lane: Lane) {
        let needs = lane.needs
        // A lane or feature at its own limit waits for itself alone.
        guard lanes[lane, default: 0] > 0, features[lane.featureID].map({ $0 > 0 }) ?? true else { return }
        for (name, amount) in needs.resources.sorted(by: { $0.key < $1.key }) {
            let rest = resources[name, default: 0] - amount
            resources[name] = max(rest, 0)
            if rest < 0 { return }
        }
        if let free = groups[lane.group] {
            groups[lane.group] = max(free - needs.slots, 0)
            if free < needs.slots { return }
        }
        slots = max(slots - needs.slots, 0)
    }
}
