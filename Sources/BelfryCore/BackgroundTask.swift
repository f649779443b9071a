// The persisted unit of work and the small values it is made of.

/// Where a task is in its life.
///
/// `pending → processing → completed | failed | cancelled`. An attempt that may be retried
/// returns the task to `pending`; a final task becomes `pending` again only when someone
/// retries it.
public enum TaskStatus: String, Sendable, CaseIterable {
    case pending, processing, completed, failed, cancelled

    public var isFinal: Bool { self == .completed || self == .failed || self == .cancelled }
}

/// What becomes of a task whose attempt was cut off by a crash, a restart or a shutdown.
public enum InterruptPolicy: String, Sendable {
    /// The task is pending again and another attempt runs it.
    case rerun
    /// The task fails with the code `interrupted`: running it twice could do harm.
    case fail
}

/// Which notifications the submitter wants for a task.
public enum NotifyPolicy: String, Sendable {
    /// Progress and outcome.
    case full
    /// The outcome only.
    case outcome
    /// Nothing: the submitting program shows its own.
    case none
}

/// A queue that a worker may have free slots for: tasks of one group that need one feature and the same
/// resources. So where the first of a lane cannot start, none of it can.
public struct Lane: Hashable, Sendable, CustomStringConvertible {
    public let group: String
    public let featureID: String
    public let needs: TaskNeeds

    public init(group: String, featureID: String, needs: TaskNeeds = TaskNeeds()) {
        self.group = group
        self.featureID = featureID
        self.needs = needs
    }

    /// The lane as stores keep it: `group/feature`, with the needs after a space. A group's name has no
    /// `/`, a feature's no space (see ``NewTask/validate()``).
    public var description: String {
        let name = group + "/" + featureID
        return needs.isDefault ? name : name + " " + needs.text
    }

    /// Reads ``description``.
    public init?(stored text: String) {
        guard let slash = text.firstIndex(of: "/") else { return nil }
        let rest = text[text.index(after: slash)...]
        let parts = rest.split(separator: " ", maxSplits: 1)
        guard let feature = parts.first else { return nil }
        let needs = parts.count > 1 ? try? TaskNeeds(String(parts[1])) : TaskNeeds()
        self.init(group: String(text[..<slash]), featureID: String(feature), needs: needs ?? TaskNeeds())
    }
}

/// The lease of a claim: how long a claimant may be silent before others take over.
///
/// Counted on a clock that stops while the machine sleeps, and void after a reboot.
public struct Lease: Hashable, Sendable {
    /// The boot in which `expiresAt` means something.
    public var bootID: String
    /// On that boot's ``LeaseClock``.
    public var expiresAt: Duration

    public init(bootID: String, expiresAt: Duration) {
        self.bootID = bootID
        self.expiresAt = expiresAt
    }
}

/// One task: what is to be done, for whom, and how far it has got.
public struct BackgroundTask: Hashable, Sendable {
    public var id: TaskID
    /// Short number for people, counted from 1 within a store.
    public var number: Int64
    public var featureID: String
    /// What the task is, for people: its prompt, file or command line. At most 200 characters.
    public var title: String
    public var params: JSONValue
    public var userID: String
    /// The application that submitted the task, by its desktop id.
    public var origin: String?
    public var notify: NotifyPolicy
    public var labels: [String]
    /// Higher runs first. Defaults to 0.
    public var priority: Int
    public var group: String
    /// What it occupies while it runs.
    public var needs: TaskNeeds
    /// Its place among tasks of one lane and priority: lower runs first, then the lower number.
    public var turn: Int64
    /// Whose turn it is: tasks with the same one share what fairness gives them. Nil without fairness.
    public var flow: String?
    /// How many things hold the task back, such as unfinished dependencies; it may run at 0.
    public var holdCount: Int
    /// Someone put the task aside: it counts as one thing that holds it back.
    public var isStashed: Bool
    /// The earliest time that the task may start.
    public var notBefore: Timestamp?
    /// When the task fails if it is not final.
    public var deadline: Timestamp?
    @Rare public var options: TaskOptions
    public var status: TaskStatus
    /// Percent, 0…100.
    public var progress: Double
    /// What the feature last said about its progress.
    public var message: String?
    public var result: TaskResult?
    @Rare public var error: TaskFailure?
    /// The number of the current or last attempt; 0 before the first.
    public var attempt: Int
    /// The attempt after which a retryable failure is final.
    public var maxAttempts: Int
    /// Only grows. Whoever claims the task must show it with every write.
    public var fence: Int64
    /// Counts the changes to this task.
    public var revision: Int64
    public var owner: WorkerID?
    public var lease: Lease?
    /// Someone asked to cancel the attempt that is running.
    public var isCancelRequested: Bool
    public var onInterrupt: InterruptPolicy
    public var batchID: BatchID?
    public var idempotencyKey: String?
    /// A digest of what must be unique among tasks, when the submitter asked for that.
    public var uniqueKey: String?
    public var createdAt: Timestamp
    public var updatedAt: Timestamp
    public var startedAt: Timestamp?
    public var finishedAt: Timestamp?

    public var lane: Lane { Lane(group: group, featureID: featureID, needs: needs) }

    /// From the start of the last attempt to its end, when both are known.
    public var duration: Duration? {
        guard let startedAt, let finishedAt else { return nil }
        return finishedAt.since(startedAt)
    }

    /// A task as it is when it has just been accepted.
    public init(_ new: NewTask, id: TaskID, number: Int64, at now: Timestamp) {
        self.id = id
        self.number = number
        featureID = new.featureID
        title = new.title
        params = new.params
        userID = new.userID
        origin = new.origin
        notify = new.notify
        labels = new.labels
        priority = new.priority
        group = new.group
        needs = new.needs ?? TaskNeeds()
        turn = 0
        holdCount = new.isStashed ? 1 : 0
        isStashed = new.isStashed
        notBefore = new.notBefore
        deadline = new.deadline
        _options = new.$options
        status = .pending
        progress = 0
        attempt = 0
        maxAttempts = new.maxAttempts ?? 1
        fence = 0
        revision = 1
        isCancelRequested = false
        onInterrupt = new.onInterrupt ?? .rerun
        batchID = new.batchID
        idempotencyKey = new.idempotencyKey
        uniqueKey = new.uniqueKey
        createdAt = now
        updatedAt = now
    }
}

/// Where a submitter stood: what a command needs to run as if typed there.
///
/// Kept privately beside the task and never shown. The environment is deleted when the task is final; the
/// directory and the mask stay, so that a retry from a popup runs where the first attempt did.
public struct SubmissionContext: Hashable, Sendable {
    public var workingDirectory: String
    /// The file mode creation mask, such as 0o022.
    public var umask: UInt32?
    public var environment: [String: String]?

    public init(workingDirectory: String, umask: UInt32? = nil, environment: [String: String]? = nil) {
        self.workingDirectory = workingDirectory
        self.umask = umask
        self.environment = environment
    }
}

/// A task to be accepted.
public struct NewTask: Hashable, Sendable {
    /// Made by the client or, when nil, by the service.
    public var id: TaskID?
    public var featureID: String
    /// For people. The service derives it from the params when empty.
    public var title = ""
    /// At most 1 MiB as JSON.
    public var params: JSONValue
    /// Defaults to the empty string: the user who runs the hub.
    public var userID = ""
    public var origin: String?
    /// Defaults to full.
    public var notify = NotifyPolicy.full
    public var labels: [String] = []
    /// Higher runs first. Defaults to 0.
    public var priority = 0
    /// Defaults to `default`.
    public var group = "default"
    /// What it occupies while it runs. Defaults to what the feature needs; one slot in a store that was given nil.
    public var needs: TaskNeeds?
    public var notBefore: Timestamp?
    /// ``notBefore``, counted from the submission. Defaults to none.
    public var delay: Duration?
    /// Put aside until someone releases it. Defaults to false.
    public var isStashed = false
    /// When the task fails if it is not final. Defaults to never.
    public var deadline: Timestamp?
    /// ``deadline``, counted from the submission. Defaults to none.
    public var timeout: Duration?
    /// The tasks that must be final before this one starts: ids of stored tasks, or of others in the same
    /// submission.
    public var after: [TaskID] = []
    @Rare public var options: TaskOptions
    /// Defaults to what the feature's retry policy says; 1 in a store that was given nil.
    public var maxAttempts: Int?
    /// Defaults to what the feature says; rerun in a store that was given nil.
    public var onInterrupt: InterruptPolicy?
    public var batchID: BatchID?
    public var idempotencyKey: String?
    public var uniqueKey: String?
    public var context: SubmissionContext?

    /// What must not be there twice. Defaults to nothing.
    public var unique: UniqueRule? {
        get { options.unique }
        set { options.unique = newValue }
    }

    public init(featureID: String, params: JSONValue = [:]) {
        self.featureID = featureID
        self.params = params
    }

    /// Whether `task` is what this submission would have made: the test for a repeated request.
    public func isRepeat(of task: BackgroundTask) -> Bool {
        // As bytes: stores read 7.0 back as 7, and file names that only look the same are not.
        featureID == task.featureID && params.canonical.encoded == task.params.canonical.encoded
            && userID == task.userID
            && group == task.group && priority == task.priority
    }
}

/// What an attempt made.
public struct TaskResult: Hashable, Sendable {
    /// A file that a feature made, inside the attempt's output directory.
    public struct Artifact: Hashable, Sendable {
        /// `file:///…`
        public var uri: String
        public var mime: String?
        /// Size in bytes.
        public var size: Int64?

        public init(uri: String, mime: String? = nil, size: Int64? = nil) {
            self.uri = uri
            self.mime = mime
            self.size = size
        }
    }

    public var value: JSONValue?
    public var artifacts: [Artifact]

    public init(value: JSONValue? = nil, artifacts: [Artifact] = []) {
        self.value = value
        self.artifacts = artifacts
    }
}

/// Why an attempt did not succeed.
public struct TaskFailure: Error, Hashable, Sendable {
    /// A stable word such as `no_result`, `timeout`, `exit_status`, `interrupted`, or a feature's own.
    public var code: String
    /// A sentence for people. At most 4 KiB are kept.
    public var message: String
    /// The next step, when there is one.
    public var fix: String?
    /// Whether another attempt may succeed.
    public var isRetryable: Bool
    /// The end of what the attempt wrote to its log. At most 8 KiB are kept.
    public var logTail: String?

    public init(
        _ code: String,
        _ message: String,
        fix: String? = nil,
        isRetryable: Bool = false,
        logTail: String? = nil
    ) {
        self.code = code
        self.message = message
        self.fix = fix
        self.isRetryable = isRetryable
        self.logTail = logTail
    }
}
