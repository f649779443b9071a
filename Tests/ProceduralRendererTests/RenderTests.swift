// The promises of `render`: same bytes, honest progress, cancelling, bounds.

import ProceduralRenderer
import Testing

private func small(_ prompt: String, style: PictureStyle? = nil, seed: UInt64? = 1) -> PictureRequest {
    PictureRequest(prompt: prompt, style: style, width: 40, height: 28, seed: seed)
}

private func picture(_ request: PictureRequest, threads: Int = 1) throws -> RenderedPicture {
    try render(request, threads: threads) { _ in }
}

@Suite("Rendering")
struct RenderTests {
    @Test("the same request gives the same bytes on any number of threads", arguments: PictureStyle.allCases)
    func isDeterministic(style: PictureStyle) throws {
        let request = small("a lighthouse, a boat, birds and pines by a lake at sunset", style: style)
        let alone = try picture(request)
        #expect(alone.pixels.count == 40 * 28 * 3)
        #expect(try picture(request, threads: 3).pixels == alone.pixels)
    }

    @Test("a picture is the same in every build and on every machine")
    func isPortable() throws {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for style in PictureStyle.allCases {
            for byte in try picture(small("a boat on a snowy mountain lake at dawn", style: style)).pixels {
                hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            }
        }
        // Changes with the painting code on purpose; never with compiler options or processors.
        #expect(hash == 8_923_629_994_118_968_466)
    }

    @Test("seeds, prompts and styles make different pictures")
    func differ() throws {
        let base = try picture(small("mountains"))
        #expect(try picture(small("mountains", seed: 2)).pixels != base.pixels)
        #expect(try picture(small("a city")).pixels != base.pixels)
        #expect(try picture(small("mountains", style: .ink)).pixels != base.pixels)
    }

    @Test("without a seed the prompt decides, and the answer names the seed that repeats it")
    func seedFromPrompt() throws {
        let first = try picture(small("dunes", seed: nil))
        let again = try picture(small("dunes", seed: first.seed))
        #expect(again.pixels == first.pixels)
        #expect(try picture(small("desert dunes", seed: nil)).seed != first.seed)
    }

    @Test("the answer tells what was understood, what was added, and the style")
    func tellsWhatWasUnderstood() throws {
        let result = try picture(small("a watercolor of a snowy city at night"))
        #expect(result.elements == ["winter", "city", "night"])
        #expect(result.style == .watercolor)
        #expect(Set(result.additions).isDisjoint(with: result.elements))
        #expect(try picture(small("watercolor city", style: .pixel)).style == .pixel)
        let facts = Dictionary(uniqueKeysWithValues: result.metadata)
        #expect(facts["Seed"] == "1" && facts["Software"] == "Belfry procedural renderer")
    }

    @Test("words change what is seen: night is darker than day, snow whiter than none")
    func wordsShow() throws {
        func brightness(_ prompt: String) throws -> Int {
            try picture(small(prompt)).pixels.reduce(0) { $0 + Int($1) }
        }
        #expect(try brightness("mountains at night") * 3 < brightness("mountains at noon") * 2)
        #expect(try brightness("mountains at noon, winter") > brightness("mountains at noon"))
    }

    @Test("a colour word moves the whole palette")
    func coloursTint() throws {
        func balance(_ prompt: String) throws -> Int {
            let pixels = try picture(small(prompt)).pixels
            return stride(from: 0, to: pixels.count, by: 3).reduce(0) {
                $0 + Int(pixels[$1]) - Int(pixels[$1 + 2])
            }
        }
        #expect(try balance("red sea at noon") > balance("sea at noon"))
        #expect(try balance("blue sunset sea") < balance("sunset sea"))
    }

    @Test(
        "every ground and kind of weather can be painted",
        arguments: [
            "city at noon", "futuristic city", "desert", "forest in fog", "poppy hills by day", "palm beach",
            "storm at sea with lightning", "snowfall in winter mountains", "aurora", "milky way", "planet",
            "rainbow", "island", "rain", "lighthouse", "moonlit lake", "autumn river hills", "nothing known",
        ]
    )
    func everyScene(prompt: String) throws {
        let pixels = try render(
            PictureRequest(prompt: prompt, width: 24, height: 24, seed: 5),
            threads: 1
        ) { _ in }.pixels
        // A picture, not a sheet of one colour.
        #expect(Set(pixels).count > 20)
    }

    @Test(
        "sizes from 16 to 4096 are taken, whatever the proportions",
        arguments: [(16, 16), (200, 16), (16, 200)]
    )
    func extremes(width: Int, height: Int) throws {
        let request = PictureRequest(prompt: "boat, birds, palms, moon", width: width, height: height)
        #expect(try picture(request).pixels.count == width * height * 3)
    }

    @Test(
        "other sizes are refused with the rule",
        arguments: [(15, 64), (64, 15), (4097, 64), (64, 4097), (0, 0), (-1, 64), (Int.max, Int.max)]
    )
    func refusedSizes(width: Int, height: Int) {
        let error = #expect(throws: PictureError.self) {
            try picture(PictureRequest(prompt: "sea", width: width, height: height))
        }
        #expect(error?.code == .sizeOutOfRange)
        #expect(error?.description.contains("16 to 4096") == true)
    }

    @Test("progress starts at 0, never falls, comes every few rows and ends at 1", arguments: [1, 3])
    func progress(threads: Int) throws {
        var told: [Double] = []
        _ = try render(small("a lake at sunset", style: .oil), threads: threads) { told.append($0) }
        #expect(told.first == 0 && told.last == 1)
        #expect(zip(told, told.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(told.allSatisfy { (0...1).contains($0) })
        if threads == 1 { #expect(told.count >= 28 / 8 * 5) }
    }

    @Test("throwing from progress ends the rendering there", arguments: [1, 3])
    func cancelling(threads: Int) {
        struct Enough: Error {}
        var calls = 0
        #expect(throws: Enough.self) {
            _ = try render(small("mountains"), threads: threads) { _ in
                calls += 1
                if calls == 4 { throw Enough() }
            }
        }
        #expect(calls == 4)
    }
}
