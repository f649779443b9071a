// Files are read back by a decoder of the test's own, so that writer and reader cannot share an error.

import CZlib
import ProceduralRenderer
import Testing

/// Reads 8-bit RGB PNG files; checks every length and CRC on the way.
private struct DecodedPNG {
    var width = 0
    var height = 0
    var pixels: [UInt8] = []
    var filters: Set<UInt8> = []
    var chunks: [(type: String, body: [UInt8])] = []

    init(_ file: [UInt8]) throws {
        try #require(file.prefix(8) == [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        var place = 8
        while place < file.count {
            let length = Self.number(file[place..<place + 4])
            let checked = Array(file[place + 4..<place + 8 + length])
            let crc = Self.number(file[place + 8 + length..<place + 12 + length])
            try #require(Int(crc32(0, checked, uInt(checked.count))) == crc)
            chunks.append((String(decoding: checked.prefix(4), as: UTF8.self), Array(checked.dropFirst(4))))
            place += 12 + length
        }
        let header = try #require(chunks.first { $0.type == "IHDR" }).body
        try #require(header.suffix(5) == [8, 2, 0, 0, 0])
        width = Self.number(header[0..<4])
        height = Self.number(header[4..<8])
        try unfilter(inflate(chunks.filter { $0.type == "IDAT" }.flatMap(\.body)))
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    private func inflate(_ packed: [UInt8]) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: height * (width * 3 + 1))
        var length = uLong(bytes.count)
        try #require(uncompress(&bytes, &length, packed, uLong(packed.count)) == Z_OK)
        try #require(Int(length) == bytes.count)
        return bytes
    }

    private mutating func unfilter(_ bytes: [UInt8]) throws {
        let stride = width * 3
        pixels = [UInt8](repeating: 0, count: stride * height)
        for y in 0..<height {
            let kind = bytes[y * (stride + 1)]
            filters.insert(kind)
            for i in 0..<stride {
                let a = i >= 3 ? Int(pixels[y * stride + i - 3]) : 0
                let b = y > 0 ? Int(pixels[(y - 1) * stride + i]) : 0
                let c = i >= 3 && y > 0 ? Int(pixels[(y - 1) * stride + i - 3]) : 0
                let nearest = [a, b, c].min { abs(a + b - c - $0) < abs(a + b - c - $1) } ?? 0
                let guesses = [0, a, b, (a + b) / 2, nearest]
                try #require(Int(kind) < guesses.count)
                pixels[y * stride + i] = bytes[y * (stride + 1) + 1 + i] &+ UInt8(guesses[Int(kind)])
            }
        }
    }
}

@Suite("PNG files")
struct PNGTests {
    @Test("a picture comes back pixel by pixel")
    func roundTrip() throws {
        let picture = try render(
            PictureRequest(prompt: "a lake at dawn", width: 33, height: 21, seed: 3),
            threads: 1
        ) { _ in }
        let file = PNGEncoder.encode(width: 33, height: 21, rgb: picture.pixels, text: picture.metadata)
        let decoded = try DecodedPNG(file)
        #expect(decoded.width == 33 && decoded.height == 21)
        #expect(decoded.pixels == picture.pixels)
        #expect(decoded.chunks.first?.type == "IHDR" && decoded.chunks.last?.type == "IEND")
    }

    @Test("every filter that pays is used, and all of them read back")
    func filters() throws {
        let (width, height) = (48, 40)
        var rgb: [UInt8] = []
        var state: UInt32 = 9
        for y in 0..<height {
            for x in 0..<width {
                state = state &* 1_664_525 &+ 1_013_904_223
                let noise = UInt8(truncatingIfNeeded: state >> 24)
                switch y / 8 {
                case 0: rgb += [UInt8(x * 5), UInt8(x * 3), UInt8(x)]
                case 1: rgb += [UInt8(x * 37 & 255), UInt8(x * 91 & 255), UInt8(x * 53 & 255)]
                case 2: rgb += [UInt8(x * 2 + y * 2), UInt8((x + y) * 2), UInt8(x + y)]
                case 3: rgb += [noise, noise &* 3, noise &* 7]
                default: rgb += [noise & 3, noise >> 6, 0]
                }
            }
        }
        let decoded = try DecodedPNG(PNGEncoder.encode(width: width, height: height, rgb: rgb))
        #expect(decoded.pixels == rgb)
        #expect(decoded.filters.count >= 3)
    }

    @Test("one pixel is a picture too")
    func onePixel() throws {
        let decoded = try DecodedPNG(PNGEncoder.encode(width: 1, height: 1, rgb: [1, 2, 3]))
        #expect(decoded.pixels == [1, 2, 3])
    }

    @Test("facts are kept as text: tEXt when ASCII, iTXt otherwise")
    func text() throws {
        let facts = [("Title", "sea"), ("Comment", "Sonne über dem Meer 🌅"), ("", "no keyword")]
        let decoded = try DecodedPNG(PNGEncoder.encode(width: 1, height: 1, rgb: [0, 0, 0], text: facts))
        let plain = decoded.chunks.filter { $0.type == "tEXt" }
        let international = decoded.chunks.filter { $0.type == "iTXt" }
        #expect(plain.map(\.body) == [Array("Title\0sea".utf8)])
        #expect(international.map(\.body) == [Array("Comment\0\0\0\0\0Sonne über dem Meer 🌅".utf8)])
    }
}
