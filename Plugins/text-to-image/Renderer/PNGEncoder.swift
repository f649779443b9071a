// PNG files (ISO/IEC 15948, W3C Recommendation "Portable Network Graphics"): 8-bit RGB,
// a filter chosen per row, deflated by zlib.

import CZlib

/// Writes PNG files.
public enum PNGEncoder {
    /// An RGB picture as a PNG file.
    ///
    /// - Parameters:
    ///   - width: pixels per row, at least 1.
    ///   - height: rows, at least 1.
    ///   - rgb: `width * height * 3` bytes, sRGB, from the top. Another count is a programmer's error.
    ///   - text: keyword and value pairs. A keyword has 1…79 printable Latin-1 bytes; other pairs are
    ///     left out. ASCII values become `tEXt` chunks, others `iTXt` in UTF-8.
    /// - Returns: the bytes of the file.
    public static func encode(width: Int, height: Int, rgb: [UInt8], text: [(String, String)] = []) -> [UInt8]
    {
        precondition(width > 0 && height > 0 && rgb.count == width * height * 3, "not \(width)×\(height) RGB")
        var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        // 8 bits per sample, colour type 2 (RGB), deflate, adaptive filters, no interlace.
        append("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0], to: &file)
        append("sRGB", [0], to: &file)
        for (keyword, value) in text {
            appendText(keyword, value, to: &file)
        }
        append("IDAT", deflate(filter(rgb, rowBytes: width * 3)), to: &file)
        append("IEND", [], to: &file)
        return file
    }

    private static func append(_ type: String, _ body: [UInt8], to file: inout [UInt8]) {
        file += bigEndian(body.count)
        let checked = Array(type.utf8) + body
        file += checked
        let crc = checked.withUnsafeBufferPointer { crc32(0, $0.baseAddress, uInt($0.count)) }
        file += bigEndian(Int(crc))
    }

    private static func appendText(_ keyword: String, _ value: String, to file: inout [UInt8]) {
        let key = Array(keyword.utf8)
        let printable = key.allSatisfy { (32...126).contains($0) }
        guard (1...79).contains(key.count), printable else { return }
        // A null would end the text early in readers that take it for a terminator.
        let body = value.utf8.filter { $0 != 0 }
        if body.allSatisfy({ $0 < 128 }) {
            append("tEXt", key + [0] + body, to: &file)
        } else {
            // Not compressed, no language tag, no translated keyword.
            append("iTXt", key + [0, 0, 0, 0, 0] + body, to: &file)
        }
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// Puts before each row the filter whose output has the smallest sum of absolute
    /// differences, the heuristic of the PNG specification (12.8).
    private static func filter(_ rgb: [UInt8], rowBytes: Int) -> [UInt8] {
        var filtered: [UInt8] = []
        filtered.reserveCapacity(rgb.count + rgb.count / rowBytes)
        var candidate = [UInt8](repeating: 0, count: rowBytes)
        var best = candidate
        rgb.withUnsafeBufferPointer { source in
            for start in stride(from: 0, to: source.count, by: rowBytes) {
                var smallest = Int.max
                var chosen = RowFilter.none
                for kind in RowFilter.allCases {
                    let sum = kind.apply(source, start: start, rowBytes: rowBytes, into: &candidate)
                    guard sum < smallest else { continue }
                    smallest = sum
                    chosen = kind
                    swap(&best, &candidate)
                }
                filtered.append(chosen.rawValue)
                filtered += best
            }
        }
        return filtered
    }

    private static func deflate(_ bytes: [UInt8]) -> [UInt8] {
        var length = compressBound(uLong(bytes.count))
        var packed = [UInt8](repeating: 0, count: Int(length))
        // Only too little memory or room can fail here, and the room is zlib's own bound.
        let status = compress2(&packed, &length, bytes, uLong(bytes.count), 6)
        precondition(status == Z_OK, "zlib could not compress \(bytes.count) bytes (\(status))")
        packed.removeLast(packed.count - Int(length))
        return packed
    }
}

/// The filter types of PNG (section 9.2), by their byte in the file.
private enum RowFilter: UInt8, CaseIterable {
    case none, sub, up, average, paeth

    /// Filters a row of 3-byte pixels; returns the sum of the absolute signed results.
    func apply(
        _ source: UnsafeBufferPointer<UInt8>,
        start: Int,
        rowBytes: Int,
        into output: inout [UInt8]
    ) -> Int {
        var sum = 0
        output.withUnsafeMutableBufferPointer { output in
            for i in 0..<rowBytes {
                let left = i >= 3 ? source[start + i - 3] : 0
                let above = start > 0 ? source[start + i - rowBytes] : 0
                let corner = i >= 3 && start > 0 ? source[start + i - rowBytes - 3] : 0
                let value = source[start + i] &- predict(left, above, corner)
                output[i] = value
                sum &+= Int(Int8(bitPattern: value).magnitude)
            }
        }
        return sum
    }

    @inline(__always)
    private func predict(_ left: UInt8, _ above: UInt8, _ corner: UInt8) -> UInt8 {
        switch self {
        case .none: return 0
        case .sub: return left
        case .up: return above
        case .average: return UInt8((Int(left) + Int(above)) / 2)
        case .paeth:
            let estimate = Int(left) + Int(above) - Int(corner)
            let toLeft = abs(estimate - Int(left))
            let toAbove = abs(estimate - Int(above))
            let toCorner = abs(estimate - Int(corner))
            if toLeft <= toAbove && toLeft <= toCorner { return left }
            return toAbove <= toCorner ? above : corner
        }
    }
}
