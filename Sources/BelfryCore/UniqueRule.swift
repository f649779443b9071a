// Tasks that must not be there twice: which ones count as the same, and what is done about it.

/// Says that a task is not to be accepted beside another that does the same.
///
/// Two tasks do the same when feature, user and the chosen params are equal. The rule stays with its task: a
/// retry or an edit that would put it beside another is refused, whatever ``onConflict`` says. Within one submission the later
/// of two is kept or rejected; what comes after one that was kept comes after the task that is there.
public struct UniqueRule: Hashable, Sendable {
    public enum Conflict: String, Sendable, CaseIterable {
        /// The submission is refused with the code `conflict`.
        case reject
        /// The submission is answered with the task that is there.
        case keep
        /// The tasks that are there are cancelled, and the new one takes their place. One that is finished
        /// stays as it is.
        case replace
    }

    /// The params that count. Defaults to all of them.
    public var params: [String]?
    /// Only tasks that were made within this time count. Defaults to any age.
    public var period: Duration?
    /// Only tasks in these statuses count. Defaults to pending and processing.
    public var statuses: Set<TaskStatus> = [.pending, .processing]
    /// Defaults to reject.
    public var onConflict = Conflict.reject

    public init() {}

    /// The key under which stores look for the same: a 128-bit FNV-1a digest of what must be equal.
    public func key(of new: NewTask) -> String { key(new.featureID, new.userID, new.params) }

    /// The key of a task as it is now.
    public func key(of task: BackgroundTask) -> String { key(task.featureID, task.userID, task.params) }

    private func key(_ featureID: String, _ userID: String, _ all: JSONValue) -> String {
        var digest = Digest()
        digest.add(Array(featureID.utf8))
        digest.add(Array(userID.utf8))
        let chosen = params.map { names -> JSONValue in
            var object = JSONObject()
            for name in names.sorted() { object.set(name, all[name]) }
            return .object(object)
        }
        digest.add((chosen ?? all).canonical.encoded)
        return digest.text
    }

    /// Whether a stored task stands in the way of one that is made at `now`.
    public func covers(_ task: BackgroundTask, at now: Timestamp) -> Bool {
        statuses.contains(task.status) && (period.map { now.since(task.createdAt) < $0 } ?? true)
    }

    private struct Digest {
        // http://www.isthe.com/chongo/tech/comp/fnv/: the 128-bit offset basis and prime.
        private var value: UInt128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d

        mutating func add(_ bytes: [UInt8]) {
            for byte in bytes + [0xFF] {
                value ^= UInt128(byte)
                value &*= 0x0000_0000_0100_0000_0000_0000_0000_013B
            }
        }

        var text: String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: 32 - digits.count) + digits
        }
    }
}

extension UniqueRule {
    public var json: JSONValue {
        var object: JSONObject = ["onConflict": .string(onConflict.rawValue)]
        object.set("params", params.map { .array($0.map { .string($0) }) })
        object.set("periodSeconds", period.map { .double($0.seconds) })
        object["statuses"] = .array(
            TaskStatus.allCases.filter(statuses.contains).map { .string($0.rawValue) }
        )
        return .object(object)
    }

    /// Reads ``json``; what is missing is the default.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the field.
    public init(json: JSONValue) throws {
        self.init()
        let reader = JSONReader(json, what: "unique rule")
        _ = try reader.members(among: ["params", "periodSeconds", "statuses", "onConflict"])
        params = try reader.optional("params", "a list of names", \.strings)
        period = try reader.duration("periodSeconds", upTo: 315_360_000)
        statuses =
            try reader.optional("statuses", "a list of statuses, such as [\"pending\"]") { value in
                let read = value.strings?.map(TaskStatus.init(rawValue:)) ?? []
                return read.isEmpty || read.contains(nil) ? nil : Set(read.compactMap(\.self))
            } ?? statuses
        onConflict =
            try reader.optional("onConflict", "reject, keep or replace") {
                $0.string.flatMap(Conflict.init(rawValue:))
            } ?? onConflict
    }
}
