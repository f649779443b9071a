// The promises of the plugin `upscaling`, kept on photographs and on pictures of every odd kind.

import BelfryCore
import Glibc
import Testing

@Suite("Upscaling")
struct UpscalingTests {
    /// What enlarges: the network in its venv, Pillow of the system, and vips where there is no Pillow.
    enum Engine: String, CaseIterable {
        case network, pillow, vips

        func plugin() throws -> BundledPlugin {
            switch self {
            case .network: BundledPlugin(name: "upscaling", python: [try Prepared.python()])
            case .pillow: BundledPlugin(name: "upscaling", python: ["/usr/bin/python3"])
            // -S: without the directories in which packages are.
            case .vips: BundledPlugin(name: "upscaling", python: ["/usr/bin/python3", "-S"])
            }
        }

        var method: JSONValue { self == .network ? "waifu2x" : "lanczos" }
    }

    @Test(
        "a photograph enlarged by the network is nearer to the original than by Lanczos",
        arguments: ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg"]
    )
    func quality(photo: String) throws {
        let folder = try Folder()
        let small = "\(folder.path)/small.png"
        try measure("halve", try Prepared.photo(photo), small)
        var figures: [String: Double] = [:]
        for method in ["waifu2x", "lanczos"] {
            let output = try folder.output(method)
            let end = try Engine.network.plugin()
                .run(["image": .string(small), "method": .string(method)], in: output)
            #expect(end.status == 0, "\(end.last)")
            #expect(end.value["method"] == .string(method))
            figures[method] =
                try measure("psnr", small + ".full.png", "\(output)/small-2x.png")["psnr"]?.double
        }
        let (network, lanczos) = (try #require(figures["waifu2x"]), try #require(figures["lanczos"]))
        print("PSNR of \(photo): waifu2x \(hundredths(network)) dB, Lanczos \(hundredths(lanczos)) dB")
        #expect(network > lanczos + 0.5)
    }

    private func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    @Test("removing noise brings a coarse JPEG nearer to the original")
    func denoise() throws {
        let folder = try Folder()
        let small = "\(folder.path)/small.png"
        try measure("halve", try Prepared.photo("chelsea.png"), small)
        let coarse = ["-v", "error", "-i", small, "-q:v", "12", "\(folder.path)/coarse.jpg"]
        #expect(try Run(["ffmpeg"] + coarse).end().status == 0)
        var figures: [Double] = []
        for level in [nil, 1, 3] as [Int64?] {
            var params: JSONObject = ["image": .string("\(folder.path)/coarse.jpg"), "format": "png"]
            if let level { params["denoise"] = .int(level) }
            let output = try folder.output("out\(figures.count)")
            let end = try Engine.network.plugin().run(.object(params), in: output)
            #expect(end.value["denoise"] == level.map { .int($0) })
            let psnr = try measure("psnr", small + ".full.png", "\(output)/coarse-2x.png")["psnr"]?.double
            figures.append(try #require(psnr))
        }
        #expect(figures[1] > figures[0] + 0.3 && figures[2] > figures[0] + 0.3, "\(figures)")
    }

    private static let kinds = [
        "palette.png": "RGBA", "bits.png": "L", "grey16.png": "L", "greyalpha.png": "LA", "clear.png": "RGBA",
        "cmyk.jpg": "RGB", "sideways.jpg": "RGB", "profile.png": "RGB", "dot.png": "RGB",
    ]

    @Test("every kind of picture keeps its shape, colours and transparency", arguments: Engine.allCases)
    func kinds(engine: Engine) throws {
        let folder = try Folder()
        let output = try folder.output()
        let names = Self.kinds.keys.sorted()
        try measure(["odds", try Prepared.photo("chelsea.png"), folder.path] + names)
        var files: [String] = []
        for name in names {
            let end = try engine.plugin()
                .run(["image": .string("\(folder.path)/\(name)"), "scale": 4], in: output)
            #expect(end.status == 0, "\(end.last)")
            #expect(end.value["method"] == engine.method)
            files.append("\(output)/\(end.value["file"]?.string ?? "")")
            #expect(files.last == "\(output)/\(name.replacing(".", with: "-4x."))")
        }
        let facts = try measure(["facts"] + files)
        for (name, file) in zip(names, files) { try check(name, facts[file] ?? .null, engine) }
        #expect(Folder.names(in: output).count == names.count)
    }

    private func check(_ name: String, _ facts: JSONValue, _ engine: Engine) throws {
        let (width, height): (Int64, Int64) =
            switch name {
            case "dot.png": (4, 4)
            case "sideways.jpg": (124, 180)
            default: (180, 124)
            }
        #expect(facts["width"] == .int(width) && facts["height"] == .int(height), "\(name)")
        // vips keeps sixteen bits and the inks of print; the others make what screens show.
        guard engine != .vips else { return }
        #expect(facts["mode"]?.string == Self.kinds[name], "\(name)")
        if name == "profile.png" { #expect(facts["profile"] == true) }
        for (ramp, key) in [("clear.png", "alpha"), ("grey16.png", "levels")] where name == ramp {
            let range = facts[key]?.array?.compactMap(\.int) ?? []
            #expect(range.count == 2 && range[0] < 12 && range[1] > 243, "\(name): \(range)")
        }
    }

    @Test("what is hidden under a transparent border does not shine through at the edge")
    func halo() throws {
        let folder = try Folder()
        try measure("odd", "disc", try Prepared.photo("chelsea.png"), "\(folder.path)/disc.png")
        let end = try Engine.network.plugin()
            .run(["image": .string("\(folder.path)/disc.png")], in: try folder.output())
        #expect(end.status == 0, "\(end.last)")
        let darkest = try measure("halo", "\(folder.path)/out/disc-2x.png")["darkest"]?.int
        #expect((darkest ?? 0) > 240)
    }

    @Test("tiles leave no seam", arguments: [2, 4])
    func seams(scale: Int64) throws {
        let folder = try Folder()
        // Tiles are 384 pixels of the result wide: the seam lies in the middle of the part below.
        let seam = 384 / scale
        let (left, right) = (seam - 40, seam + 40)
        let whole = "\(folder.path)/whole.png"
        try measure("crop", try Prepared.photo("coffee.png"), whole, "0", "0", "\(seam + 60)", "90")
        try measure("crop", whole, "\(folder.path)/part.png", "\(left)", "5", "\(right)", "85")
        for name in ["whole", "part"] {
            let image = JSONValue.string("\(folder.path)/\(name).png")
            let end = try Engine.network.plugin()
                .run(["image": image, "scale": .int(scale)], in: try folder.output(name))
            #expect(end.status == 0, "\(end.last)")
        }
        let made = "\(folder.path)/whole/whole-\(scale)x.png"
        let box = [left * scale, 5 * scale, right * scale, 85 * scale].map(String.init)
        try measure("crop", made, "\(folder.path)/cut.png", box[0], box[1], box[2], box[3])
        // Near the part's own border its surroundings are missing.
        let difference = try measure(
            "difference",
            "\(folder.path)/cut.png",
            "\(folder.path)/part/part-\(scale)x.png",
            "\(12 * scale)"
        )
        #expect((difference["largest"]?.double ?? 255) <= 1)
    }

    @Test("a large picture takes no more memory than a tile does, beside the picture itself")
    func memory() throws {
        let folder = try Folder()
        let strip = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=6000x100", "-frames:v", "1"]
        #expect(try Run(["ffmpeg"] + strip + ["\(folder.path)/strip.png"]).end().status == 0)
        let end = try Engine.network.plugin()
            .run(["image": .string("\(folder.path)/strip.png")], in: try folder.output())
        #expect(end.status == 0, "\(end.last)")
        #expect(end.value["width"] == 12000)
        // The network's last layer alone would take 1.2 GB of the whole strip.
        #expect(end.peakMemory < 700 << 20)
        #expect(end.percents.count > 20)
        #expect(end.percents == end.percents.sorted() && end.percents.last == 100)
    }

    @Test("a cancelled task leaves no file")
    func cancelled() throws {
        let folder = try Folder()
        let output = try folder.output()
        let run = try Engine.network.plugin()
            .start(["image": .string(try Prepared.photo("astronaut.png")), "scale": 4], in: output)
        while let line = run.line(), !line.contains("tile 2") {}
        #expect(Folder.names(in: output) == [".partial"])
        #expect(kill(run.pid, SIGTERM) == 0)
        let end = try run.end()
        #expect(try JSONValue(parsing: try #require(end.lines.last))["code"] == "cancelled")
        #expect(end.status == 1)
        #expect(Folder.names(in: output).isEmpty)
    }

    @Test(
        "what is no picture, or too large, is refused in every way of enlarging",
        arguments: Engine.allCases
    )
    func refused(engine: Engine) throws {
        let folder = try Folder()
        let photo = try Prepared.photo("rocket.jpg")
        try folder.save("just words\n".utf8, as: "text.png")
        try folder.save([], as: "empty.png")
        try Run(["sh", "-c", "head -c 20000 \"$0\" > \"$1\"", photo, "\(folder.path)/broken.jpg"]).end()
        try measure("odd", "huge", photo, "\(folder.path)/huge.png")
        let output = try folder.output()
        for (name, code) in [
            ("absent.png", "bad_input"), ("text.png", "bad_input"), ("empty.png", "bad_input"),
            ("broken.jpg", "bad_input"), ("huge.png", "too_large"),
        ] where engine != .vips || name != "broken.jpg" {
            let image = "\(folder.path)/\(name)"
            let end = try engine.plugin().run(["image": .string(image)], in: output)
            #expect(end.status == 1)
            #expect(end.last["code"] == .string(code), "\(name): \(end.last)")
            #expect(end.last["retryable"] == false)
            if code == "bad_input" { #expect(end.last["message"]?.string?.contains(image) ?? false) }
        }
        #expect(Folder.names(in: output).isEmpty)
    }

    @Test("a film of pictures and a transparent JPEG are refused with what to do instead")
    func fixes() throws {
        let folder = try Folder()
        for (kind, name) in [("animated", "film.gif"), ("clear", "clear.png")] {
            try measure("odd", kind, try Prepared.photo("chelsea.png"), "\(folder.path)/\(name)")
        }
        let plugin = try Engine.network.plugin()
        let film = try plugin.run(["image": .string("\(folder.path)/film.gif")], in: try folder.output("1"))
        #expect(film.last["code"] == "bad_input")
        #expect(film.last["fix"]?.string?.contains("operation=frames") ?? false)
        let clear = try plugin.run(
            ["image": .string("\(folder.path)/clear.png"), "format": "jpg"],
            in: try folder.output("2")
        )
        #expect(clear.last["code"] == "bad_params")
        #expect(clear.last["fix"]?.string?.contains("format=png") ?? false)
    }

    @Test("without the network it resizes and says so; what needs the network says how to set it up")
    func notSetUp() throws {
        let folder = try Folder()
        let image = JSONValue.string(try Prepared.photo("rocket.jpg"))
        let plugin = try Engine.pillow.plugin()
        let plain = try plugin.run(["image": image], in: try folder.output("1"))
        #expect(plain.value["method"] == "lanczos")
        #expect(plain.value["note"]?.string?.contains("belfry plugin setup upscaling") ?? false)
        let network = try plugin.run(["image": image, "method": "waifu2x"], in: try folder.output("2"))
        #expect(network.last["code"] == "not_set_up")
        #expect(network.last["fix"]?.string?.contains("belfry plugin setup upscaling") ?? false)
        let denoised = try plugin.run(["image": image, "denoise": 1], in: try folder.output("3"))
        #expect(denoised.last["code"] == "bad_params")
    }

    @Test("names that look like options, patterns or lists are just names", arguments: Engine.allCases)
    func oddNames(engine: Engine) throws {
        let folder = try Folder()
        let image = "\(folder.path)/-x %03d 'ü'\n[Q=1].png"
        try measure("odd", "clear", try Prepared.photo("chelsea.png"), image)
        let output = try folder.output()
        let end = try engine.plugin().run(["image": .string(image)], in: output)
        #expect(end.status == 0, "\(end.last)")
        #expect(Folder.names(in: output) == ["x %03d 'ü'_[Q=1]-2x.png"])
    }

    @Test("running leaves the plugin's own directory as it is")
    func leavesNoByteCode() throws {
        let plugin = try Engine.network.plugin()
        let before = Folder.names(in: plugin.directory)
        let folder = try Folder()
        _ = try plugin.run(["image": .string(try Prepared.photo("rocket.jpg"))], in: folder.path)
        #expect(before.contains("main.py"))
        #expect(Folder.names(in: plugin.directory) == before)
    }
}
