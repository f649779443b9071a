// Reads zip archives: stored and deflated entries, by the directory at their end.

import BelfryCore
import CZlib

struct ZipReader {
    fileprivate let bytes: [UInt8]
    fileprivate var writer: ArchiveWriter

    static func unpack(_ path: String, to root: String) throws {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileSystem.contents(of: path, limit: Int(PluginInstallation.maxSize))
        } catch {
            throw BelfryError(.notFound, "\(path) \(error.reason).")
        }
        var reader = ZipReader(bytes: bytes, writer: ArchiveWriter(root: root, archive: path))
        try reader.unpack()
    }

    private mutating func unpack() throws {
        guard let end = directoryEnd() else { throw writer.refusal("is no zip archive, or damaged") }
        let count = try number(end + 10, 2)
        var offset = try number(end + 16, 4)
        guard count != 0xFFFF, offset != 0xFFFF_FFFF else { throw writer.refusal("is too large") }
        for _ in 0..<count { offset = try take(offset) }
        try writer.finish()
    }

    /// Where the record at the end begins; a comment of up to 64 KiB may follow it.
    private func directoryEnd() -> Int? {
        guard bytes.count >= 22 else { return nil }
        let first = max(0, bytes.count - 22 - 65_535)
        return stride(from: bytes.count - 22, through: first, by: -1).first { index in
            bytes[index] == 0x50 && bytes[index + 1] == 0x4B && bytes[index + 2] == 5 && bytes[index + 3] == 6
        }
    }

    /// - Returns: where the next entry's record is.
    private mutating func take(_ record: Int) throws -> Int {
        guard try number(record, 4) == 0x0201_4B50 else { throw writer.refusal("is damaged") }
        let nameLength = try number(record + 28, 2)
        let next = try record + 46 + nameLength + number(record + 30, 2) + number(record + 32, 2)
        let name = String(decoding: try slice(record + 46, nameLength), as: UTF8.self)
        // What macOS adds for itself.
        if name.hasPrefix("__MACOSX/") { return next }
        guard try number(record + 8, 2) & 1 == 0 else { throw writer.refusal("is encrypted") }
        // The mode is there when a Unix made it; the file's kind is in it.
        let isUnix = try number(record + 4, 2) >> 8 == 3
        let mode = isUnix ? try number(record + 38, 4) >> 16 : 0o644
        switch mode & 0o170000 {
        case 0o120000:
            var content: [UInt8] = []
            let limited = try chunks(record, limit: 4096)
            while let chunk = try limited() { content += chunk }
            try writer.link(name, to: String(decoding: content, as: UTF8.self))
        case 0, 0o100000, 0o040000:
            if name.hasSuffix("/") {
                try writer.directory(name)
            } else {
                try writer.file(name, mode: UInt32(mode), try chunks(record, limit: .max))
            }
        default: throw writer.refusal("has an entry that is no file, '\(name)'")
        }
        return next
    }

    /// The content of an entry, bit by bit.
    private func chunks(_ record: Int, limit: Int) throws -> () throws -> [UInt8]? {
        let local = try number(record + 42, 4)
        let packed = try number(record + 20, 4)
        let size = try number(record + 24, 4)
        guard try number(local, 4) == 0x0403_4B50, size <= limit, size <= PluginInstallation.maxSize else {
            throw writer.refusal("is damaged or too large")
        }
        let start = try local + 30 + number(local + 26, 2) + number(local + 28, 2)
        let content = try slice(start, packed)
        let method = try number(record + 10, 2)
        let unpacked: [UInt8]
        switch method {
        case 0: unpacked = Array(content)
        case 8: unpacked = try inflated(Array(content), size: size)
        default: throw writer.refusal("is packed in a way that is not known (\(method))")
        }
        let sum = unpacked.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
        guard unpacked.count == size, Int(sum) == (try number(record + 16, 4)) else {
            throw writer.refusal("is damaged")
        }
        var rest: [UInt8]? = unpacked
        return {
            defer { rest = nil }
            return rest
        }
    }

    /// Never more than the directory promises, whatever the data would unfold to.
    private func inflated(_ content: [UInt8], size: Int) throws -> [UInt8] {
        var stream = z_stream()
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw writer.refusal("cannot be unpacked")
        }
        defer { inflateEnd(&stream) }
        var input = content
        var failure = false
        let output = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            input.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(size)
                failure = inflate(&stream, Z_FINISH) != Z_STREAM_END
                count = size - Int(stream.avail_out)
            }
        }
        if failure, size > 0 { throw writer.refusal("is damaged") }
        return output
    }

    private func slice(_ start: Int, _ count: Int) throws -> ArraySlice<UInt8> {
        guard start >= 0, count >= 0, start <= bytes.count, count <= bytes.count - start else {
            throw writer.refusal("is damaged")
        }
        return bytes[start..<start + count]
    }

    /// A little-endian number.
    private func number(_ start: Int, _ count: Int) throws -> Int {
        try slice(start, count).reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
