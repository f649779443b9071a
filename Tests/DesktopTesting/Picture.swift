// What the virtual screen shows, read from its own memory: no process per look, so a test can look often.

import FoundationEssentials

/// A colour of the screen.
public struct Colour: Hashable, Sendable {
    public var red, green, blue: UInt8

    public init(red: UInt8, green: UInt8, blue: UInt8) {
        self.red = red
        self.green = green
        self.blue = blue
    }

    /// Pure green: the colour of the progress bar in our dunst's config, and of nothing else.
    public static let bar = Colour(red: 0, green: 255, blue: 0)
    public static let black = Colour(red: 0, green: 0, blue: 0)
}

/// A part of the screen, in pixels from the left and the top.
public struct Area: Hashable, Sendable {
    public var x, y, width, height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        self.x = x
        self.y = y
        self.width = width
        self.height = height
    }

    /// The point in the middle.
    public var middle: (x: Int, y: Int) { (x + width / 2, y + height / 2) }
}

/// All pixels of the screen at one moment.
public struct Picture: Hashable, Sendable, CustomStringConvertible {
    public let width, height: Int
    /// Row by row, each as 0x00RRGGBB.
    private let pixels: [UInt32]

    /// Reads the frame buffer file of Xvfb: an XWD header, a colour map, then 32 bits a pixel.
    ///
    /// - Throws: ``DesktopFault`` when it is no such file, and what reading it throws.
    init(frameBuffer path: String) throws {
        let data = try Data(contentsOf: URL(filePath: path))
        func header(_ index: Int) -> Int {
            data[index * 4..<index * 4 + 4].reduce(0) { $0 << 8 | Int($1) }
        }
        guard data.count > 100, header(1) == 7, header(11) == 32 else {
            throw DesktopFault("\(path) is no frame buffer of 32 bits a pixel")
        }
        let (width, height, bytesPerLine) = (header(4), header(5), header(12))
        let start = header(0) + header(19) * 12
        guard data.count >= start + height * bytesPerLine else { throw DesktopFault("\(path) is cut off") }
        self.width = width
        self.height = height
        pixels = data.withUnsafeBytes { bytes in
            [UInt32](unsafeUninitializedCapacity: width * height) { buffer, count in
                for y in 0..<height {
                    for x in 0..<width {
                        let at = start + y * bytesPerLine + x * 4
                        let pixel = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
                        buffer[y * width + x] = UInt32(littleEndian: pixel) & 0xff_ffff
                    }
                }
                count = width * height
            }
        }
    }

    /// The colour at a place inside the screen.
    public subscript(x: Int, y: Int) -> Colour {
        let pixel = pixels[y * width + x]
        return Colour(
            red: UInt8(truncatingIfNeeded: pixel >> 16),
            green: UInt8(truncatingIfNeeded: pixel >> 8),
            blue: UInt8(truncatingIfNeeded: pixel)
        )
    }

    /// How many pixels have exactly this colour.
    public func count(of colour: Colour) -> Int {
        let wanted = colour.pixel
        return pixels.withUnsafeBufferPointer { buffer in buffer.reduce(0) { $1 == wanted ? $0 + 1 : $0 } }
    }

    /// The smallest area that holds every pixel that `isWanted`; nil when there is none.
    public func bounds(where isWanted: (Colour) -> Bool) -> Area? {
        var known: [UInt32: Bool] = [:]
        var (left, top, right, bottom) = (Int.max, Int.max, -1, -1)
        for (index, pixel) in pixels.enumerated() {
            let wanted: Bool
            if let answer = known[pixel] {
                wanted = answer
            } else {
                wanted = isWanted(self[index % width, index / width])
                known[pixel] = wanted
            }
            guard wanted else { continue }
            (left, right) = (min(left, index % width), max(right, index % width))
            (top, bottom) = (min(top, index / width), max(bottom, index / width))
        }
        guard right >= 0 else { return nil }
        return Area(x: left, y: top, width: right - left + 1, height: bottom - top + 1)
    }

    /// In a few words: the colours that cover most, and where something is.
    public var description: String {
        let counts = pixels.reduce(into: [UInt32: Int]()) { $0[$1, default: 0] += 1 }
        let most = counts.sorted { ($0.value, $0.key) > ($1.value, $1.key) }.prefix(6)
        let colours = most.map { "\($0.value) of #\(String($0.key, radix: 16))" }.joined(separator: ", ")
        let area = bounds { $0 != .black }.map { "\($0.width)x\($0.height) at \($0.x),\($0.y)" }
        return
            "\(width)x\(height) pixels: \(colours); not black: \(area ?? "nothing"), bar: \(count(of: .bar))"
    }

    /// True when the whole screen has one colour: nothing is shown.
    public var isBlank: Bool { pixels.allSatisfy { $0 == pixels[0] } }
}

extension Colour {
    fileprivate var pixel: UInt32 { UInt32(red) << 16 | UInt32(green) << 8 | UInt32(blue) }
}
