// Pictures by their headers. The headers are written here, after each format's description.

import Glibc
import Testing

@testable import BelfryDesktop

@Suite("Pictures for popups")
struct PictureProbeTests {
    private let folder = TemporaryFolder()

    private func isShowable(_ bytes: [UInt8]) -> Bool {
        PictureProbe.isShowable(folder.write(bytes, to: "picture"))
    }

    // MARK: Headers

    private static func big(_ value: Int, _ count: Int) -> [UInt8] { little(value, count).reversed() }

    private static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(value >> ($0 * 8) & 0xFF) }
    }

    private static func png(_ width: Int, _ height: Int) -> [UInt8] {
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + big(13, 4) + Array("IHDR".utf8) + big(width, 4)
            + big(height, 4) + [8, 2, 0, 0, 0] + [0, 0, 0, 0]
    }

    private static func jpeg(_ width: Int, _ height: Int, metadata: Int = 1, frame: UInt8 = 0xC0) -> [UInt8] {
        let segment = [0xFF, 0xE1] + big(65_535, 2) + [UInt8](repeating: 0xC0, count: 65_533)
        let tables: [UInt8] = [0xFF, 0xC4] + big(4, 2) + [0, 0] + [0xFF, 0xFF]
        return [0xFF, 0xD8] + (0..<metadata).flatMap { _ in segment } + tables + [0xFF, frame] + big(17, 2)
            + [8]
            + big(height, 2) + big(width, 2) + [3, 1, 0x22, 0]
    }

    private static func gif(_ width: Int, _ height: Int, version: String = "GIF89a") -> [UInt8] {
        Array(version.utf8) + little(width, 2) + little(height, 2) + [0, 0, 0]
    }

    private static func webP(_ kind: String, _ rest: [UInt8]) -> [UInt8] {
        Array("RIFF".utf8) + little(100, 4) + Array("WEBP\(kind)".utf8) + little(88, 4) + rest
            + [UInt8](repeating: 0, count: 40)
    }

    private static func lossy(_ width: Int, _ height: Int) -> [UInt8] {
        // The two upper bits of each ask for scaling.
        webP("VP8 ", [0, 0, 0, 0x9D, 0x01, 0x2A] + little(width | 1 << 14, 2) + little(height, 2))
    }

    private static func lossless(_ width: Int, _ height: Int) -> [UInt8] {
        webP("VP8L", [0x2F] + little(width - 1 | (height - 1) << 14 | 1 << 28, 4))
    }

    private static func extended(_ width: Int, _ height: Int) -> [UInt8] {
        webP("VP8X", [0x10, 0, 0, 0] + little(width - 1, 3) + little(height - 1, 3))
    }

    private static let formats: [String: @Sendable (Int, Int) -> [UInt8]] = [
        "PNG": { png($0, $1) }, "JPEG": { jpeg($0, $1) }, "progressive JPEG": { jpeg($0, $1, frame: 0xC2) },
        "GIF": { gif($0, $1) }, "old GIF": { gif($0, $1, version: "GIF87a") },
        "lossy WebP": { lossy($0, $1) },
        "lossless WebP": { lossless($0, $1) }, "extended WebP": { extended($0, $1) },
    ]

    // MARK: Tests

    @Test("a picture of up to 4096 pixels each way is showable", arguments: formats.keys.sorted())
    func sizes(_ format: String) throws {
        let make = try #require(Self.formats[format])
        for (width, height) in [(1, 1), (640, 480), (4096, 4096), (1, 4096)] {
            #expect(isShowable(make(width, height)), "\(width) × \(height)")
        }
        for (width, height) in [(4097, 1), (1, 4097), (16_000, 16_000)] {
            #expect(!isShowable(make(width, height)), "\(width) × \(height)")
        }
    }

    @Test("a picture without width or height is not")
    func empty() {
        for bytes in [Self.png(0, 1), Self.png(1, 0), Self.jpeg(1, 0), Self.gif(0, 0), Self.lossy(0, 1)] {
            #expect(!isShowable(bytes))
        }
    }

    @Test("a size that does not fit in 31 bits is too large")
    func hugeSize() {
        #expect(!isShowable(Self.png(0xFFFF_FFFF, 1)))
        #expect(!isShowable(Self.extended(1 << 24, 1)))
    }

    @Test("a JPEG may have a megabyte of metadata before its size")
    func metadata() {
        #expect(isShowable(Self.jpeg(640, 480, metadata: 20)))
    }

    @Test("a JPEG whose segments lead nowhere is not showable, and takes no long walk")
    func endlessSegments() {
        let fill = [UInt8](repeating: 0xFF, count: 1 << 20)
        #expect(!isShowable([0xFF, 0xD8] + fill))
        // A length of nothing leads to the length itself, and on into what is no segment.
        #expect(!isShowable([0xFF, 0xD8, 0xFF, 0xE0, 0, 0] + [UInt8](repeating: 0, count: 100)))
    }

    @Test("a header that is cut off anywhere is not showable", arguments: formats.keys.sorted())
    func cut(_ format: String) throws {
        let make = try #require(Self.formats[format])
        let bytes = make(640, 480)
        let needed = [
            "PNG": 24, "GIF": 10, "old GIF": 10, "lossy WebP": 30, "lossless WebP": 30, "extended WebP": 30,
        ]
        // The frame's header ends four bytes before the end of the JPEG made here.
        let whole = needed[format] ?? bytes.count - 4
        for count in 0..<min(whole, 64) { #expect(!isShowable(Array(bytes.prefix(count))), "\(count) bytes") }
        #expect(!isShowable(Array(bytes.prefix(whole - 1))))
        #expect(isShowable(bytes))
    }

    @Test(
        "what is no picture of these formats is not",
        arguments: ["", "text", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "BM", "RIFF0000WAVEfmt 0000"]
    )
    func others(_ text: String) {
        #expect(!isShowable(Array(text.utf8) + [UInt8](repeating: 0x20, count: 64)))
    }

    @Test("a picture of more than 16 MiB is not")
    func large() {
        let path = folder.write(Self.png(8, 8), to: "large.png")
        #expect(truncate(path, 16 << 20) == 0)
        #expect(PictureProbe.isShowable(path))
        #expect(truncate(path, 16 << 20 + 1) == 0)
        #expect(!PictureProbe.isShowable(path))
    }

    @Test("pipes, folders, devices, sockets, relative and missing paths are refused without waiting")
    func others() {
        let pipe = folder.place("pipe.png")
        mkfifo(pipe, 0o600)
        for path in [
            pipe, folder.path, "/dev/zero", "/dev/tty", "\(folder.path)/missing.png", "", "picture.png",
        ] {
            #expect(!PictureProbe.isShowable(path), "\(path)")
        }
        let picture = folder.write(Self.png(8, 8), to: "a.png")
        #expect(!PictureProbe.isShowable(picture + "\0.txt"))
        let link = folder.place("link.png")
        symlink(picture, link)
        #expect(PictureProbe.isShowable(link))
    }
}
