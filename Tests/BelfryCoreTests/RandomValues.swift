// Texts and values made at random, the same in every run.

import BelfryCore
import BelfryTesting

extension SeededRandom {
    /// Text from all of Unicode, with more than its share of what needs care.
    mutating func text(upTo length: Int) -> String {
        let odd: [Unicode.Scalar] = [
            "\0", "\n", "\r", "\t", "\"", "\\", "/", "\u{1B}", "\u{7F}", "\u{85}", "\u{2028}", "\u{2029}",
            "\u{FEFF}",
            "\u{301}", "\u{202E}", "\u{FFFD}", "\u{10FFFF}",
        ]
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...length, using: &self) {
            if Bool.random(using: &self) { text.append(odd.randomElement(using: &self) ?? "\0") }
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &self)) {
                text.append(scalar)
            }
        }
        return String(text)
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0...(depth > 0 ? 7 : 5), using: &self) {
        case 0: .null
        case 1: .bool(Bool.random(using: &self))
        case 2: .int(Int64(bitPattern: next() >> UInt64.random(in: 0..<64, using: &self)))
        case 3: .double(number())
        case 4, 5: .string(text(upTo: 20))
        case 6: .array((0..<Int.random(in: 0...4, using: &self)).map { _ in value(depth: depth - 1) })
        default: .object(object(depth: depth - 1))
        }
    }

    private mutating func object(depth: Int) -> JSONObject {
        var members = JSONObject()
        for _ in 0..<Int.random(in: 0...4, using: &self) { members[text(upTo: 6)] = value(depth: depth) }
        return members
    }

    /// Any finite bit pattern that is not a whole number: those are written as integers.
    private mutating func number() -> Double {
        while true {
            let value = Double(bitPattern: next())
            if value.isFinite, value != value.rounded() || abs(value) >= 0x1p63 { return value }
        }
    }
}
