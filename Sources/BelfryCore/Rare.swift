// Tasks are copied at every step of their way, and each field costs a little each time. What nearly all of them
// leave at its default stands apart, so that copying a task copies one reference for it, or none.

/// A value with a default that hardly ever is another.
@propertyWrapper
public struct Rare<Value: Hashable & Sendable & HasDefault>: Hashable, Sendable {
    private final class Box: Sendable {
        let value: Value

        init(_ value: Value) { self.value = value }
    }

    /// Nil for the default.
    private var box: Box?

    public init() {}

    public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }

    public var wrappedValue: Value {
        get { box?.value ?? Value() }
        set { box = newValue == Value() ? nil : Box(newValue) }
    }

    /// Whether the value is the default, without making one.
    public var isDefault: Bool { box == nil }

    public var projectedValue: Self { self }

    public static func == (one: Self, other: Self) -> Bool {
        one.box === other.box || one.wrappedValue == other.wrappedValue
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(wrappedValue) }
}

/// What can be left out.
public protocol HasDefault {
    /// The default.
    init()
}

extension Optional: HasDefault {
    public init() { self = nil }
}

extension TaskOptions: HasDefault {}
