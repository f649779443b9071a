// Names of things: tasks, batches, workers. Ids are UUIDs whose first 48 bits are the time, so
// that ids made by any client sort by age and index well.

import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The id of a task: a UUID in lower case, version 7 (RFC 9562) when Belfry makes it.
///
/// A client may make the id itself, so that a submission whose answer got lost can be sent
/// again without making a second task.
public struct TaskID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    /// - Returns: nil unless `text` is a UUID such as `0198c0de-7a3b-7cc1-9d2f-0123456789ab`.
    public init?(_ text: String) {
        guard let uuid = UUIDText.normalized(text) else { return nil }
        rawValue = uuid
    }

    init(unchecked rawValue: String) { self.rawValue = rawValue }

    /// For stores, which read back what was checked on the way in.
    public init(stored rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

/// The id of a batch, of the same form as ``TaskID``.
public struct BatchID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init?(_ text: String) {
        guard let uuid = UUIDText.normalized(text) else { return nil }
        rawValue = uuid
    }

    init(unchecked rawValue: String) { self.rawValue = rawValue }

    /// For stores, which read back what was checked on the way in.
    public init(stored rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

/// Who claims tasks: one worker in one run of one process.
public struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(_ rawValue: String) { self.rawValue = rawValue }

    public var description: String { rawValue }
}

/// Makes ids. Injected, so that a test or a simulation decides the randomness.
public struct IDGenerator: Sendable {
    private let randomBits: @Sendable () -> UInt64

    /// Ids from the system's random numbers.
    public init() {
        let pool = RandomPool()
        randomBits = { pool.next() }
    }

    public init(randomBits: @escaping @Sendable () -> UInt64) {
        self.randomBits = randomBits
    }

    public func taskID(at now: Timestamp) -> TaskID { TaskID(unchecked: uuid(at: now)) }

    public func batchID(at now: Timestamp) -> BatchID { BatchID(unchecked: uuid(at: now)) }

    /// A new log epoch: eight characters that tell one life of an event log from another.
    public func epoch() -> String {
        let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")
        var bits = randomBits()
        return String(
            (0..<8).map { _ in
                defer { bits >>= 5 }
                return alphabet[Int(bits & 31)]
            }
        )
    }

    private func uuid(at now: Timestamp) -> String {
        let time = UInt64(bitPattern: now.milliseconds) & 0xFFFF_FFFF_FFFF
        let high = time << 16 | 0x7000 | (randomBits() & 0x0FFF)
        let low = 0x8000_0000_0000_0000 | (randomBits() & 0x3FFF_FFFF_FFFF_FFFF)
        return UUIDText.format(high: high, low: low)
    }
}

/// The system's random numbers, fetched by the page: asked one by one they cost a system call each.
private final class RandomPool: Sendable {
    private let words = Mutex<[UInt64]>([])

    func next() -> UInt64 {
        words.withLock { words in
            if words.isEmpty { words = Self.fetch(32) }
            return words.popLast() ?? .random(in: .min ... .max)
        }
    }

    /// At most 32 words; none when the kernel will not give any.
    private static func fetch(_ count: Int) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: count) { buffer, filled in
            let size = count * MemoryLayout<UInt64>.size
            filled = getentropy(buffer.baseAddress, size) == 0 ? count : 0
        }
    }
}

private enum UUIDText {
    static let hexDigits = Array("0123456789abcdef".utf8)

    static func format(high: UInt64, low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = index < 16 ? high : low
                buffer[position] = hexDigits[Int(word >> UInt64(60 - (index % 16) * 4) & 15)]
                position += 1
            }
            return 36
        }
    }

    static func normalized(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.count == 36 else { return nil }
        for (index, byte) in bytes.enumerated() {
            let isDash = index == 8 || index == 13 || index == 18 || index == 23
            let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
            guard isDash ? byte == UInt8(ascii: "-") : isHex else { return nil }
        }
        return text.lowercased()
    }
}
