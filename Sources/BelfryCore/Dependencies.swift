// Tasks that come after others: what the end of one means for the next, and what cannot be.

/// One edge: the task comes after another.
public struct TaskDependency: Hashable, Sendable {
    public var id: TaskID
    public var number: Int64
    public var status: TaskStatus
    /// The task no longer waits for it.
    public var isSatisfied: Bool
    /// It was cleared: the rest is as it was then. Defaults to false.
    public var isRemoved = false

    public init(id: TaskID, number: Int64, status: TaskStatus, isSatisfied: Bool) {
        self.id = id
        self.number = number
        self.status = status
        self.isSatisfied = isSatisfied
    }

    public var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id.rawValue), "number": .int(number), "status": .string(status.rawValue),
            "satisfied": .bool(isSatisfied),
        ]
        if isRemoved { object["removed"] = true }
        return .object(object)
    }
}

extension DependencyPolicy {
    /// What a task with this policy does about a dependency in `status`.
    public func verdict(on status: TaskStatus) -> Verdict {
        switch status {
        case .pending, .processing: .wait
        case .completed: .go
        case .failed, .cancelled: self == .run ? .go : .fail
        }
    }

    public enum Verdict: Sendable {
        case wait, go, fail
    }
}

extension TaskStatus {
    /// What became of a task that did not complete, as a sentence goes on after its number.
    var past: String { self == .cancelled ? "was cancelled" : rawValue }
}

extension TaskFailure {
    /// Why a task fails whose dependency did not complete.
    public static func dependency(_ task: BackgroundTask) -> TaskFailure {
        TaskFailure(
            dependencyCode,
            "#\(task.number) \(task.status.past), and this comes after it.",
            fix: "Retry what failed: belfry retry \(task.number). This task comes back with it."
        )
    }

    public static let dependencyCode = "dependency_failed"

    /// Why a task fails whose time is over.
    public static func deadline(_ deadline: Timestamp) -> TaskFailure {
        TaskFailure(
            "deadline",
            "It was not done by \(deadline).",
            fix: "A retry gives it as much time again."
        )
    }
}

/// The order within one submission.
public enum DependencyOrder {
    /// - Throws: ``TaskStoreError/dependency(_:)`` when tasks of the submission come after one another in a
    ///   circle.
    public static func check(_ tasks: [AcceptedTask]) throws {
        let dependants = tasks.filter { !$0.new.after.isEmpty }
        guard !dependants.isEmpty else { return }
        var waiting: [TaskID: Set<TaskID>] = [:]
        for task in tasks { waiting[task.id] = [] }
        var followers: [TaskID: [TaskID]] = [:]
        for task in dependants {
            for earlier in Set(task.new.after) where waiting[earlier] != nil {
                waiting[task.id]?.insert(earlier)
                followers[earlier, default: []].append(task.id)
            }
        }
        var ready = waiting.filter { $0.value.isEmpty }.map(\.key)
        var done = 0
        while let id = ready.popLast() {
            done += 1
            for follower in followers[id] ?? [] {
                waiting[follower]?.remove(id)
                if waiting[follower]?.isEmpty == true { ready.append(follower) }
            }
        }
        guard done < waiting.count, let stuck = tasks.firstIndex(where: { waiting[$0.id]?.isEmpty == false })
        else { return }
        throw TaskStoreError.dependency(
            "Task \(stuck + 1) of \(tasks.count) comes after itself, by way of the tasks that it comes after."
        )
    }
}
