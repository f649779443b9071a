// JSON pointers (RFC 6901): how every error here says which part of a document it means.

enum JSONPointer {
    /// `pointer` one step further down.
    static func appending(_ key: String, to pointer: String) -> String {
        guard key.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else {
            return pointer + "/" + key
        }
        var escaped = pointer + "/"
        for scalar in key.unicodeScalars {
            switch scalar {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    static func appending(_ index: Int, to pointer: String) -> String { "\(pointer)/\(index)" }

    /// The keys and indices that `pointer` goes through.
    static func steps(_ pointer: String) -> [String] {
        pointer.unicodeScalars.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map {
            step in
            unescaped(String(step))
        }
    }

    /// The last step of `pointer` undone: `a~1b` is the key `a/b`.
    static func unescaped(_ step: String) -> String {
        guard step.utf8.contains(UInt8(ascii: "~")) else { return step }
        var key = ""
        var isEscape = false
        for scalar in step.unicodeScalars {
            if isEscape {
                key += scalar == "1" ? "/" : scalar == "0" ? "~" : "~\(scalar)"
                isEscape = false
            } else if scalar == "~" {
                isEscape = true
            } else {
                key.unicodeScalars.append(scalar)
            }
        }
        return key
    }

    /// A name for people: `/tiles/0/size` is `tiles[0].size`; nil for the whole document.
    static func name(_ pointer: String) -> String? {
        let steps = steps(pointer)
        guard var name = steps.first else { return nil }
        for step in steps.dropFirst() {
            name += step.allSatisfy({ $0.isASCII && $0.isNumber }) && !step.isEmpty ? "[\(step)]" : ".\(step)"
        }
        return name
    }
}
