// The members of a JSON object. A type of our own around an ordered dictionary, so that who uses
// JSON values (plugin authors too) needs to import nothing but this module.

import OrderedCollections

/// The members of a JSON object, in the order they were written.
public struct JSONObject: Sendable, Hashable {
    private var members: OrderedDictionary<String, JSONValue>

    public init(minimumCapacity: Int = 0) {
        members = OrderedDictionary(minimumCapacity: minimumCapacity)
    }

    /// The value of `key`; setting nil removes the member.
    public subscript(key: String) -> JSONValue? {
        get { members[key] }
        set { members[key] = newValue }
    }

    /// Sets `key` unless `value` is nil: absent members are left out, never written as null.
    public mutating func set(_ key: String, _ value: JSONValue?) {
        if let value { members[key] = value }
    }

    public var keys: [String] { Array(members.keys) }
    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
}

extension JSONObject: Sequence {
    public struct Iterator: IteratorProtocol {
        fileprivate var base: OrderedDictionary<String, JSONValue>.Iterator

        public mutating func next() -> (key: String, value: JSONValue)? { base.next() }
    }

    public func makeIterator() -> Iterator { Iterator(base: members.makeIterator()) }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = OrderedDictionary(elements, uniquingKeysWith: { _, last in last })
    }
}
