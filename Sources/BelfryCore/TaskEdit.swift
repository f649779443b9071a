// What may be changed about a task that waits.

/// Changes to a pending task. What is nil stays as it is.
public struct TaskEdit: Hashable, Sendable {
    public var title: String?
    /// All params, as a submission would have them. They are what a ``UniqueRule`` goes by from then on.
    public var params: JSONValue?
    public var priority: Int?
    public var group: String?
    public var needs: TaskNeeds?
    /// A time, or `.some(nil)` to start as soon as possible.
    public var notBefore: Timestamp??
    /// ``notBefore``, counted from the change. The service resolves it.
    public var delay: Duration?
    public var deadline: Timestamp??
    /// ``deadline``, counted from the change. The service resolves it.
    public var timeout: Duration?
    public var labels: [String]?
    /// Attempts from now on. 1…1000.
    public var maxAttempts: Int?
    public var notify: NotifyPolicy?
    /// All options but the unique rule, which stays.
    public var options: TaskOptions?
    /// Puts the task before all others of its lane and priority, also those that are not due yet.
    public var isFirst = false

    public init() {}

    public var isEmpty: Bool { self == TaskEdit() }

    /// The task with these changes; its state is not looked at.
    public func applied(to task: BackgroundTask) -> BackgroundTask {
        var task = task
        task.title = title ?? task.title
        task.params = params ?? task.params
        task.priority = priority ?? task.priority
        task.group = group ?? task.group
        task.needs = needs ?? task.needs
        task.labels = labels ?? task.labels
        task.notify = notify ?? task.notify
        let rule = task.options.unique
        task.options = options ?? task.options
        task.options.unique = rule
        if params != nil, let rule { task.uniqueKey = rule.key(of: task) }
        if let notBefore { task.notBefore = notBefore }
        if let deadline { task.deadline = deadline }
        if let maxAttempts { task.maxAttempts = task.attempt + maxAttempts }
        return task
    }
}
