// Reads what event files end with, and mends a torn end.

import BelfryCore
import FoundationEssentials
import Glibc

enum EventFile {
    struct Content {
        var size: Int64
        var firstTime: Timestamp?
        var first: Int64?
        var last: EventCursor?
    }

    /// Cuts the file back to its last whole line that is an event, and says what it holds then.
    ///
    /// Read from the end in blocks: the work does not depend on the size of the file.
    static func repair(_ descriptor: Int32) -> Content {
        var info = stat()
        fstat(descriptor, &info)
        var end = Int64(info.st_size)
        while end > 0 {
            let start = lineStart(descriptor, before: end)
            let line = read(descriptor, from: start, count: Int(end - start))
            if line.last == 0x0A, let cursor = cursor(of: line.dropLast()) {
                truncate(descriptor, to: end, was: Int64(info.st_size))
                let (time, first) = head(descriptor)
                return Content(size: end, firstTime: time, first: first, last: cursor)
            }
            end = start
        }
        truncate(descriptor, to: 0, was: Int64(info.st_size))
        return Content(size: 0)
    }

    private static func truncate(_ descriptor: Int32, to size: Int64, was: Int64) {
        if size != was { ftruncate(descriptor, off_t(size)) }
    }

    /// Where the line begins that ends at `end`, its newline included.
    private static func lineStart(_ descriptor: Int32, before end: Int64) -> Int64 {
        var position = end - 1
        while position > 0 {
            let count = min(position, 65536)
            let block = read(descriptor, from: position - count, count: Int(count))
            if let newline = block.lastIndex(of: 0x0A) { return position - count + Int64(newline) + 1 }
            position -= count
        }
        return 0
    }

    private static func head(_ descriptor: Int32) -> (Timestamp?, Int64?) {
        let block = read(descriptor, from: 0, count: 65536)
        guard let json = try? JSONValue(parsing: block.prefix { $0 != 0x0A }) else { return (nil, nil) }
        return (json["time"]?.string.flatMap { Timestamp($0) }, json["position"]?.int ?? json["from"]?.int)
    }

    private static func read(_ descriptor: Int32, from offset: Int64, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let size = pread(
                    descriptor,
                    buffer.baseAddress! + filled,
                    count - filled,
                    off_t(offset) + off_t(filled)
                )
                if size < 0, errno == EINTR { continue }
                if size <= 0 { return }
                filled += size
            }
        }
    }

    /// The place that a line brings a reader to; nil when it is no line of ours.
    static func cursor(of line: some Sequence<UInt8>) -> EventCursor? {
        guard let json = try? JSONValue(parsing: line) else { return nil }
        if let id = json["id"]?.string { return EventCursor(id) }
        guard json["type"]?.string == "gap", let epoch = json["epoch"]?.string, let to = json["to"]?.int
        else { return nil }
        return EventCursor(epoch: epoch, position: to)
    }

    // MARK: Rotated files

    static func rotated(stem: String, ending: String) -> [String] {
        let slash = stem.lastIndex(of: "/") ?? stem.startIndex
        let directory = String(stem[..<slash])
        let prefix = String(stem[stem.index(after: slash)...]) + "-"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(ending) }.map { "\(directory)/\($0)" }
    }

    /// By the time in the name, then by the positions.
    static func isOlder(_ left: String, _ right: String) -> Bool {
        let (left, right) = (numbers(left), numbers(right))
        return left.lexicographicallyPrecedes(right)
    }

    private static func numbers(_ path: String) -> [Int64] {
        let name = path.split(separator: "/").last ?? ""
        return name.split(whereSeparator: { $0 == "-" || $0 == "." }).compactMap { Int64($0) }
    }

    static func lastCursor(ofRotated path: String) -> EventCursor? {
        guard let bytes = path.hasSuffix(".gz") ? Gzip.read(path) : plain(path) else { return nil }
        let lines = bytes.split(separator: 0x0A)
        return lines.last.flatMap { cursor(of: $0) }
    }

    private static func plain(_ path: String) -> [UInt8]? {
        (try? Data(contentsOf: URL(filePath: path))).map { Array($0) }
    }
}
