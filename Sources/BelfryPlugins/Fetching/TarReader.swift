// Reads tar archives (POSIX ustar and pax, and GNU's long names), plain or compressed by gzip.

import BelfryCore
import CZlib

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

struct TarReader {
    /// A pax header or a long name may be so long, in bytes.
    private static let maxHeader: Int64 = 1 << 16

    private let stream: gzFile
    private var writer: ArchiveWriter
    private var longName: String?
    private var longLink: String?

    static func unpack(_ path: String, to root: String) throws {
        guard let stream = gzopen(path, "rb") else {
            throw BelfryError(.notFound, "\(path) cannot be read: \(String(cString: strerror(errno))).")
        }
        defer { gzclose(stream) }
        var reader = TarReader(stream: stream, writer: ArchiveWriter(root: root, archive: path))
        while let header = try reader.header() { try reader.take(header) }
        try reader.writer.finish()
    }

    private init(stream: gzFile, writer: ArchiveWriter) {
        self.stream = stream
        self.writer = writer
    }

    /// The next header; nil at the end, which a block of zeros marks.
    private mutating func header() throws -> [UInt8]? {
        let block = try bytes(512)
        if block.allSatisfy({ $0 == 0 }) { return nil }
        let sum = block.enumerated().reduce(0) {
            $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element))
        }
        guard Self.number(block[148..<156]) == Int64(sum) else {
            throw writer.refusal("is no tar archive, or damaged")
        }
        return block
    }

    private mutating func take(_ header: [UInt8]) throws {
        guard let size = Self.number(header[124..<136]), size >= 0 else { throw writer.refusal("is damaged") }
        var name = longName ?? Self.text(header[0..<100])
        if longName == nil, Self.text(header[257..<262]) == "ustar" {
            let prefix = Self.text(header[345..<500])
            if !prefix.isEmpty, header[262] == 0 { name = "\(prefix)/\(name)" }
        }
        let link = longLink ?? Self.text(header[157..<257])
        let mode = UInt32(truncatingIfNeeded: Self.number(header[100..<108]) ?? 0)
        switch header[156] {
        case UInt8(ascii: "L"):
            longName = Self.text(try content(size)[...])
            return
        case UInt8(ascii: "K"):
            longLink = Self.text(try content(size)[...])
            return
        case UInt8(ascii: "x"): return try takePax(try content(size))
        case UInt8(ascii: "g"):
            _ = try content(size)
            return
        case UInt8(ascii: "0"), UInt8(ascii: "7"), 0: try file(name, mode, size)
        case UInt8(ascii: "5"): try writer.directory(name)
        case UInt8(ascii: "2"): try writer.link(name, to: link)
        case UInt8(ascii: "1"): throw writer.refusal("has a hard link, '\(name)'")
        default: throw writer.refusal("has an entry that is no file, '\(name)'")
        }
        (longName, longLink) = (nil, nil)
    }

    private mutating func file(_ name: String, _ mode: UInt32, _ size: Int64) throws {
        var left = size
        let stream = stream
        let damaged = writer.refusal("ends in the middle of '\(name)'")
        try writer.file(name, mode: mode) {
            guard left > 0 else { return nil }
            let chunk = try Self.read(stream, Int(min(left, 65_536)), or: damaged)
            left -= Int64(chunk.count)
            return chunk
        }
        try skipPadding(size)
    }

    /// Records `LENGTH KEY=VALUE\n`.
    private mutating func takePax(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 0x20) {
            guard let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > 0,
                length <= rest.count, rest.startIndex + length > space
            else { throw writer.refusal("has a damaged header") }
            let record = String(decoding: rest[(space + 1)..<(rest.startIndex + length - 1)], as: UTF8.self)
            rest = rest.dropFirst(length)
            let parts = record.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            if parts[0] == "path" { longName = String(parts[1]) }
            if parts[0] == "linkpath" { longLink = String(parts[1]) }
            // Only for files of 8 GiB and more.
            if parts[0] == "size" { throw writer.refusal("holds a file that is too large") }
        }
    }

    private mutating func content(_ size: Int64) throws -> [UInt8] {
        guard size <= Self.maxHeader else { throw writer.refusal("has a header that is too long") }
        let content = try bytes(Int(size))
        try skipPadding(size)
        return content
    }

    private mutating func skipPadding(_ size: Int64) throws { _ = try bytes(Int((512 - size % 512) % 512)) }

    private func bytes(_ count: Int) throws -> [UInt8] {
        try Self.read(stream, count, or: writer.refusal("is no tar archive, or damaged"))
    }

    private static func read(_ stream: gzFile, _ count: Int, or error: BelfryError) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard gzread(stream, &bytes, UInt32(count)) == Int32(count) else { throw error }
        return bytes
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Octal digits, or binary where the first bit is set.
    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64? {
        if let first = bytes.first, first & 0x80 != 0 { return nil }
        let digits = bytes.filter { $0 != 0 && $0 != 0x20 }
        return digits.isEmpty ? 0 : Int64(String(decoding: digits, as: UTF8.self), radix: 8)
    }
}
