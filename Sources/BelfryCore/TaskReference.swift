// How params speak of earlier tasks. Found in one place, because who checks params before those tasks are
// done and who fills them in afterwards must find the same.

/// A place in a text that speaks of a task which this one comes after, such as `${task.result.path}`.
///
/// `${task`, digits that say which of the tasks (none: the first), `.` and what of it, `}`. Without the `.` it
/// is text: `${task}`, `${task2}` and `${task_id}` are variables of shells.
public struct TaskReference: Hashable, Sendable {
    /// Which of the tasks that this one comes after. Counted from 1, but not checked: `${task0.id}` has 0.
    public let place: Int
    /// What of it: `["result", "path"]`. Not checked either.
    public let path: [String]
    /// Where it stands in the text.
    public let range: Range<Substring.Index>

    private static let opening = Array("${task".utf8)

    /// Finds the first one in `text`.
    public init?(firstIn text: Substring) {
        var rest = text.utf8
        while let start = rest.firstIndex(of: UInt8(ascii: "$")) {
            rest = rest[start...]
            if rest.starts(with: Self.opening) {
                // Without an end for this one there is none for any that follows.
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
                let inner = text[rest.index(start, offsetBy: Self.opening.count)..<end]
                if let (place, path) = Self.parts(inner) {
                    self.init(place: place, path: path, range: start..<rest.index(after: end))
                    return
                }
            }
            rest = rest.dropFirst()
        }
        return nil
    }

    private init(place: Int, path: [String], range: Range<Substring.Index>) {
        self.place = place
        self.path = path
        self.range = range
    }

    private static func parts(_ inner: Substring) -> (Int, [String])? {
        let digits = inner.prefix { ("0"..."9").contains($0) }
        let rest = inner[digits.endIndex...]
        guard rest.first == "." else { return nil }
        let path = rest.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        return (digits.isEmpty ? 1 : Int(digits) ?? .max, path)
    }
}

extension String {
    /// Whether the text speaks of an earlier task; see ``TaskReference``.
    public var hasTaskReference: Bool { TaskReference(firstIn: self[...]) != nil }
}

extension JSONValue {
    /// Whether any string in the value speaks of an earlier task; see ``TaskReference``. Keys do not count.
    public var hasTaskReference: Bool {
        switch self {
        case .string(let text): text.hasTaskReference
        case .array(let items): items.contains(where: \.hasTaskReference)
        case .object(let members): members.contains { $0.value.hasTaskReference }
        case .null, .bool, .int, .double: false
        }
    }
}
