// Zero bytes end a text for the kernel: a program's arguments, its variables and the names of files would be cut
// there, and nobody told. So what comes from outside is refused with one in it.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension String {
    /// Whether a zero byte is in it.
    public var hasZeroByte: Bool {
        utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        } ?? utf8.contains(0)
    }
}

extension JSONValue {
    /// Points (RFC 6901) at the first text with a zero byte in it, or at the object with such a key; nil when there
    /// is none.
    public var pointerToZeroByte: String? {
        switch self {
        case .string(let text): return text.hasZeroByte ? "" : nil
        case .array(let items):
            for (index, item) in items.enumerated() {
                if let rest = item.pointerToZeroByte { return "/\(index)\(rest)" }
            }
        case .object(let members):
            for (key, value) in members {
                if key.hasZeroByte { return "" }
                guard let rest = value.pointerToZeroByte else { continue }
                return "/\(key.replacing("~", with: "~0").replacing("/", with: "~1"))\(rest)"
            }
        default: break
        }
        return nil
    }
}
