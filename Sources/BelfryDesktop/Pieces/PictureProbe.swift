// A task's result may become a popup's picture. The server that decodes it is the person's desktop
// shell: it gets nothing that is huge, or no picture at all.

/// Whether a picture is safe to hand to a popup server, by the file's header.
enum PictureProbe {
    /// In bytes.
    static let sizeLimit: Int64 = 16 << 20
    /// In pixels, each way.
    static let sideLimit = 4096

    /// Whether `path` is a PNG, JPEG, GIF or WebP file of at most 16 MiB and 4096 × 4096 pixels.
    ///
    /// Reads the header only, a bounded number of bytes, so it does not say that the rest is sound. Never
    /// waits: pipes, sockets and devices are refused.
    static func isShowable(_ path: String) -> Bool {
        guard let file = RegularFile(path, limit: sizeLimit), let size = size(file) else { return false }
        return (1...sideLimit).contains(size.width) && (1...sideLimit).contains(size.height)
    }

    private typealias Size = (width: Int, height: Int)

    private static func size(_ file: borrowing RegularFile) -> Size? {
        let head = file.bytes(at: 0, count: 32)
        guard head.count >= 10 else { return nil }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return png(head) }
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return jpeg(file) }
        if head.starts(with: "GIF87a".utf8) || head.starts(with: "GIF89a".utf8) {
            return (head.little(6, 2), head.little(8, 2))
        }
        if head.starts(with: "RIFF".utf8), head.dropFirst(8).starts(with: "WEBPVP8".utf8) {
            return webP(head)
        }
        return nil
    }

    /// The first chunk is IHDR, of 13 bytes.
    private static func png(_ head: [UInt8]) -> Size? {
        guard head.count >= 24, head.big(8, 4) == 13, head[12..<16].elementsEqual("IHDR".utf8) else {
            return nil
        }
        return (head.big(16, 4), head.big(20, 4))
    }

    /// Segments of at most 64 KiB with their lengths: metadata, tables, then the frame's header.
    private static func jpeg(_ file: borrowing RegularFile) -> Size? {
        var place: Int64 = 2
        // A colour profile and metadata in their segments are some hundred at the most.
        for _ in 0..<1024 {
            let segment = file.bytes(at: place, count: 9)
            guard segment.count == 9, segment[0] == 0xFF else { return nil }
            switch segment[1] {
            case 0xFF: place += 1
            case 0x01, 0xD0...0xD7: place += 2
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                return (segment.big(7, 2), segment.big(5, 2))
            case 0x00, 0xD8...0xDA: return nil
            default: place += 2 + Int64(segment.big(2, 2))
            }
        }
        return nil
    }

    /// Lossy, lossless, or extended with a canvas of its own.
    private static func webP(_ head: [UInt8]) -> Size? {
        guard head.count >= 30 else { return nil }
        switch head[15] {
        case UInt8(ascii: " "):
            guard head[23..<26].elementsEqual([0x9D, 0x01, 0x2A]) else { return nil }
            return (head.little(26, 2) & 0x3FFF, head.little(28, 2) & 0x3FFF)
        case UInt8(ascii: "L"):
            guard head[20] == 0x2F else { return nil }
            let bits = head.little(21, 4)
            return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case UInt8(ascii: "X"): return (head.little(24, 3) + 1, head.little(27, 3) + 1)
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate func big(_ start: Int, _ count: Int) -> Int {
        self[start..<start + count].reduce(0) { $0 << 8 | Int($1) }
    }

    fileprivate func little(_ start: Int, _ count: Int) -> Int {
        self[start..<start + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}
