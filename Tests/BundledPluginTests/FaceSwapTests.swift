// The promises of the plugin `face-swap`, kept on two portraits in the public domain: Eileen Collins
// (NASA) and Grace Hopper (US Navy).

import BelfryCore
import Glibc
import Testing

@Suite("Face swap")
struct FaceSwapTests {
    private let plugin = BundledPlugin(name: "face-swap", python: ["/usr/bin/python3"])
    private let astronaut = Result { try Prepared.photo("astronaut.png") }
    private let admiral = Result { try Prepared.photo("grace_hopper.jpg") }

    /// The eyes of the faces that were replaced, as `measure.py ovals` takes them.
    private func eyes(_ end: BundledPlugin.Outcome) -> String {
        let faces = end.value["swapped"]?.array ?? []
        let pairs = faces.map { face -> JSONValue in
            .array((face["eyes"]?.array ?? []).map { [$0["x"] ?? .null, $0["y"] ?? .null] })
        }
        return JSONValue.array(pairs).text
    }

    @Test(
        "the face changes and is still one; outside of its oval every pixel is as it was",
        arguments: [true, false]
    )
    func swaps(isAstronautTheTarget: Bool) throws {
        let folder = try Folder()
        let (image, face) =
            isAstronautTheTarget
            ? (try astronaut.get(), try admiral.get()) : (try admiral.get(), try astronaut.get())
        let output = try folder.output()
        let end = try plugin.run(
            ["image": .string(image), "face": .string(face), "format": "png"],
            in: output
        )
        #expect(end.status == 0, "\(end.last)")
        let name = try #require(end.value["file"]?.string)
        #expect(Folder.names(in: output) == [name])
        let changes = try measure("ovals", image, "\(output)/\(name)", eyes(end))
        #expect(changes["outside"] == 0)
        #expect((changes["inside"]?.double ?? 0) > 0.7)
        #expect(end.value["found"] == 1)
        #expect(end.value["swapped"]?.array?.first?["eyesSeen"] == true)
        #expect(end.value["source"]?["eyesSeen"] == true)

        // Another cascade than the plugin's finds one face, where it was.
        let before = try measure("faces", image, python: "/usr/bin/python3")["faces"]?.array ?? []
        let after =
            try measure("faces", "\(output)/\(name)", python: "/usr/bin/python3")["faces"]?.array ?? []
        #expect(before.count == 1 && after.count == 1)
        for (old, new) in zip(before.first?.array ?? [], after.first?.array ?? []) {
            #expect(abs((old.int ?? 0) - (new.int ?? 1000)) < 40)
        }
        #expect(end.percents == end.percents.sorted() && end.percents.last == 100)
        #expect(end.percents.count >= 5)
    }

    @Test("of several faces the largest, all, or one counted from the left is replaced")
    func which() throws {
        let folder = try Folder()
        let group = "\(folder.path)/group.png"
        try measure("beside", group, try astronaut.get(), try admiral.get(), try astronaut.get())
        for (choice, count, left) in [
            ("largest", 1, 500), ("all", 3, 100), (1, 1, 100), (3, 1, 1000),
        ] as [(JSONValue, Int, Int64)] {
            let output = try folder.output("out \(choice)")
            let end = try plugin.run(
                ["image": .string(group), "face": .string(try astronaut.get()), "which": choice],
                in: output
            )
            #expect(end.status == 0, "\(end.last)")
            #expect(end.value["found"] == 3)
            let swapped = end.value["swapped"]?.array ?? []
            #expect(swapped.count == count, "\(choice)")
            #expect((left..<left + 200).contains(swapped.first?["x"]?.int ?? -1), "\(choice)")
            let changes = try measure("ovals", group, "\(output)/group-swapped.png", eyes(end))
            #expect(changes["outside"] == 0)
            // A face put onto itself hardly changes.
            #expect((changes["inside"]?.double ?? 0) > 0.2)
        }
        let end = try plugin.run(
            ["image": .string(group), "face": .string(group), "which": 4],
            in: try folder.output()
        )
        #expect(end.last["code"] == "bad_params")
        #expect(end.last["message"] == "'which' is 4, and there are 3 faces.")
    }

    @Test("a head that is held askew gets a face that is, too", arguments: [-30, -15, 15, 30])
    func askew(degrees: Int) throws {
        let folder = try Folder()
        let image = "\(folder.path)/askew.png"
        try measure("turned", try admiral.get(), image, "\(degrees)")
        let end = try plugin.run(
            ["image": .string(image), "face": .string(try astronaut.get())],
            in: try folder.output()
        )
        #expect(end.status == 0, "\(end.last)")
        let eyes = end.value["swapped"]?.array?.first?["eyes"]?.array ?? []
        let rise = (eyes.last?["y"]?.double ?? 0) - (eyes.first?["y"]?.double ?? 0)
        let run = (eyes.last?["x"]?.double ?? 0) - (eyes.first?["x"]?.double ?? 0)
        // In the photograph itself she holds her head 4 degrees to the left.
        let angle = atan2(-rise, run) * 180 / .pi
        #expect(abs(angle - 4 - Double(degrees)) < 6, "\(eyes)")
        let changes = try measure("ovals", image, "\(folder.path)/out/askew-swapped.png", self.eyes(end))
        #expect(changes["outside"] == 0)
    }

    @Test("a face at the picture's edge is replaced as far as it is there")
    func atTheEdge() throws {
        let folder = try Folder()
        let image = "\(folder.path)/edge.png"
        // The chin is cut off.
        try measure("crop", try astronaut.get(), image, "0", "0", "512", "158")
        let end = try plugin.run(
            ["image": .string(image), "face": .string(try admiral.get())],
            in: try folder.output()
        )
        #expect(end.status == 0, "\(end.last)")
        let facts = try measure("facts", "\(folder.path)/out/edge-swapped.png")
        #expect(facts["width"] == 512 && facts["height"] == 158)
        let changes = try measure("ovals", image, "\(folder.path)/out/edge-swapped.png", eyes(end))
        #expect(changes["outside"] == 0)
    }

    @Test("a picture without a face is named, and so is one that cannot be read")
    func refused() throws {
        let folder = try Folder()
        let coffee = try Prepared.photo("coffee.png")
        let text = try folder.save("words".utf8, as: "text.png")
        try measure("odd", "huge", coffee, "\(folder.path)/huge.png")
        let output = try folder.output()
        for (image, face, code, named) in [
            (coffee, try astronaut.get(), "no_face", "'image': \(coffee)"),
            (try astronaut.get(), coffee, "no_face", "'face': \(coffee)"),
            (try astronaut.get(), text, "bad_input", "'face' is no picture"),
            (text, try astronaut.get(), "bad_input", text),
            ("\(folder.path)/absent.png", coffee, "bad_input", "No such file"),
            ("\(folder.path)/huge.png", coffee, "too_large", "60000"),
        ] {
            let end = try plugin.run(["image": .string(image), "face": .string(face)], in: output)
            #expect(end.status == 1)
            #expect(end.last["code"] == .string(code), "\(end.last)")
            #expect(end.last["message"]?.string?.contains(named) ?? false, "\(end.last)")
            #expect(end.last["retryable"] == false)
        }
        #expect(Folder.names(in: output).isEmpty)
    }

    @Test("without OpenCV it says what to install")
    func missing() throws {
        let folder = try Folder()
        // -S: without the directories in which packages are.
        let bare = BundledPlugin(name: "face-swap", python: ["/usr/bin/python3", "-S"])
        let end = try bare.run(["image": "/a", "face": "/b"], in: folder.path)
        #expect(end.last["code"] == "missing_program")
        #expect(end.last["fix"]?.string?.contains("apt-get install python3-opencv") ?? false)
    }

    @Test("a cancelled task leaves no file, and running leaves the plugin's directory as it is")
    func cancelled() throws {
        let folder = try Folder()
        let output = try folder.output()
        let before = Folder.names(in: plugin.directory)
        let run = try plugin.start(
            ["image": .string(try admiral.get()), "face": .string(try astronaut.get())],
            in: output
        )
        while let line = run.line(), !line.contains("looking") {}
        #expect(kill(run.pid, SIGTERM) == 0)
        let end = try run.end()
        #expect(try JSONValue(parsing: try #require(end.lines.last))["code"] == "cancelled")
        #expect(end.status == 1)
        #expect(Folder.names(in: output).isEmpty)
        #expect(Folder.names(in: plugin.directory) == before)
    }
}
