// Cuts a program's output into lines within a bound: a line that is too long is thrown away up to its
// newline, so that a program that prints ten gigabytes costs no memory.

/// Bytes in, whole lines out.
struct LineSplitter {
    let limit: Int
    private var line: [UInt8] = []
    private var isDiscarding = false
    /// Lines that were longer than the limit.
    private(set) var discarded = 0

    init(limit: Int) { self.limit = limit }

    /// What is kept of the line that has not ended yet, in bytes.
    var buffered: Int { line.count }

    mutating func feed(_ bytes: [UInt8], _ body: (String) -> Void) {
        var rest = bytes[...]
        while let newline = rest.firstIndex(of: 0x0A) {
            append(rest[..<newline])
            end(body)
            rest = rest[(newline + 1)...]
        }
        append(rest)
    }

    /// The last line, when the output ended without a newline.
    mutating func finish(_ body: (String) -> Void) {
        if !line.isEmpty || isDiscarding { end(body) }
    }

    private mutating func append(_ bytes: ArraySlice<UInt8>) {
        guard !isDiscarding else { return }
        guard line.count + bytes.count <= limit else {
            isDiscarding = true
            line = []
            return
        }
        line += bytes
    }

    private mutating func end(_ body: (String) -> Void) {
        if isDiscarding {
            discarded += 1
        } else {
            if line.last == 0x0D { line.removeLast() }
            body(String(decoding: line, as: UTF8.self))
        }
        line.removeAll(keepingCapacity: true)
        isDiscarding = false
    }
}

/// The last bytes of a stream.
struct ByteRing {
    let limit: Int
    private var bytes: [UInt8] = []

    init(limit: Int) { self.limit = limit }

    /// What is kept, in bytes.
    var buffered: Int { bytes.count }

    mutating func append(_ more: [UInt8]) {
        bytes += more
        if bytes.count > 2 * limit { bytes.removeFirst(bytes.count - limit) }
    }

    /// As text, with what is not UTF-8 repaired.
    var text: String { String(decoding: bytes.suffix(limit), as: UTF8.self) }
}
