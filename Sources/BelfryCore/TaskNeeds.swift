// What a task occupies while it runs: slots of the worker, and resources that have names.

/// Slots and named resources that an attempt takes for as long as it runs.
///
/// Written as text in one order, so that equal needs are equal text: `slots=2 gpu=1 memory=8589934592`.
public struct TaskNeeds: Hashable, Sendable {
    /// Of the worker's slots and the group's. 1…1024. Defaults to 1.
    public var slots: Int
    /// Amounts by name, each above 0: `gpu` counts devices, `memory` bytes, others whatever the
    /// configuration gives a capacity for. Defaults to none.
    public var resources: [String: Int64]

    public init(slots: Int = 1, resources: [String: Int64] = [:]) {
        self.slots = slots
        self.resources = resources.filter { $0.value > 0 }
    }

    /// One slot and nothing else.
    public var isDefault: Bool { slots == 1 && resources.isEmpty }

    /// The empty string for one slot and nothing else.
    public var text: String {
        if isDefault { return "" }
        let slots = slots == 1 ? [] : ["slots=\(slots)"]
        return (slots + resources.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
            .joined(separator: " ")
    }

    /// Reads ``text``, in any order, with amounts such as `8G`.
    ///
    /// - Throws: ``BelfryError`` `invalid_request` naming the part that is wrong.
    public init(_ text: String) throws {
        self.init()
        for word in text.split(separator: " ") { try add(word) }
    }

    /// Reads one `name=amount`.
    public mutating func add(_ word: some StringProtocol) throws {
        let parts = word.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else {
            throw Self.error("'\(word)' is not of the form name=amount", "Write it like gpu=1 or memory=8G.")
        }
        try set(String(parts[0]), to: String(parts[1]))
    }

    /// Sets one amount, written as text.
    public mutating func set(_ name: String, to text: String) throws {
        guard let amount = Self.amount(text) else {
            throw Self.error("'\(text)' is not an amount of \(name)", "Write it like 1 or 8G.")
        }
        try set(name, to: amount)
    }

    /// Sets one amount; 0 takes it away.
    public mutating func set(_ name: String, to amount: Int64) throws {
        guard name != "slots" else {
            guard (1...1024).contains(amount) else {
                throw Self.error(
                    "A task takes 1 to 1024 slots, not \(amount)",
                    "Take a number in that range."
                )
            }
            slots = Int(amount)
            return
        }
        guard Self.isName(name) else {
            throw Self.error(
                "'\(name.truncated(toUTF8: 80))' is not a resource's name",
                "Use lower-case letters, digits, '-' and '_', at most 32."
            )
        }
        guard amount >= 0 else {
            throw Self.error("An amount of \(name) cannot be negative", "Take 0 or more.")
        }
        resources[name] = amount == 0 ? nil : amount
        guard resources.count <= 8 else {
            throw Self.error("A task needs at most 8 resources", "Take fewer names.")
        }
    }

    /// A whole number, with k, M, G or T for multiples of 1024.
    public static func amount(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["k": 10, "K": 10, "M": 20, "G": 30, "T": 40]
        guard let last = text.last, let shift = units[last] else {
            return Int64(text).flatMap { $0 < 0 ? nil : $0 }
        }
        guard let count = Int64(text.dropLast()), count >= 0, count < 1 << (62 - shift) else { return nil }
        return count << shift
    }

    static func isName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x5F
            }
    }

    private static func error(_ message: String, _ fix: String) -> BelfryError {
        BelfryError(.invalidRequest, message + ".", fix: fix, pointer: "/needs")
    }
}

extension TaskNeeds {
    /// `{"slots":2,"gpu":1}`; what is default is left out.
    public var json: JSONValue {
        var object = JSONObject()
        if slots != 1 { object["slots"] = .int(Int64(slots)) }
        for (name, amount) in resources.sorted(by: { $0.key < $1.key }) { object[name] = .int(amount) }
        return .object(object)
    }

    /// Reads ``json``; amounts may be text such as `8G`.
    ///
    /// - Throws: ``BelfryError`` `invalid_request`.
    public init(json: JSONValue) throws {
        guard let members = json.object else {
            throw Self.error("The needs must be an object", "Write {\"gpu\": 1}.")
        }
        self.init()
        for (name, value) in members {
            if let amount = value.int {
                try set(name, to: amount)
            } else {
                try set(name, to: value.string ?? value.text)
            }
        }
    }
}
