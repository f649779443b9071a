// The promises of the video plugin, kept by the real ffmpeg on clips that it makes itself.

import BelfryCore
import Glibc
import Testing

@Suite("The video plugin", .enabled(if: VideoPlugin.isRunnable, "needs python3, ffmpeg and ffprobe"))
struct VideoTests {
    @Test("percentages only grow, stay below 100 while ffmpeg works, and end at 100")
    func percentages() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/in.mp4", size: "640x360")
        let end = try VideoPlugin.run(
            ["operation": "transcode", "input": .string("\(folder.path)/in.mp4"), "preset": "slow"],
            in: try folder.output()
        )
        let percents = end.lines.filter { $0["type"] == "progress" }.compactMap { $0["percent"]?.double }
        #expect(end.status == 0)
        #expect(percents.count > 2)
        #expect(percents == percents.sorted())
        #expect(percents.dropLast().allSatisfy { (0..<100).contains($0) })
        #expect(percents.last == 100)
        #expect(end.lines.contains { $0["message"]?.string?.contains("s of 2.0 s") ?? false })
        #expect(end.lines.last?["type"] == "result")
    }

    @Test(
        "a result says what ffprobe says",
        arguments: [
            (["operation": "transcode"], "in.mp4", "h264"),
            (["operation": "transcode", "codec": "vp9", "preset": "fast"], "in.webm", "vp9"),
            (["operation": "scale", "height": 44], "in-44p.mp4", "h264"),
            (["operation": "greyscale", "audio": "remove"], "in-grey.mp4", "h264"),
            (["operation": "thumbnail", "at": 1], "in-thumbnail.png", "png"),
            (["operation": "thumbnail", "image": "jpg", "width": 50], "in-thumbnail.jpg", "mjpeg"),
        ] as [(JSONValue, String, String)]
    )
    func results(params: JSONValue, name: String, codec: String) throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/in.mp4", more: ["-f", "lavfi", "-i", "sine"])
        var members = try #require(params.object)
        members["input"] = .string("\(folder.path)/in.mp4")
        let output = try folder.output()
        let end = try VideoPlugin.run(.object(members), in: output)
        let result = try #require(end.lines.last)
        let value = try #require(result["value"])
        #expect(end.status == 0)
        #expect(Folder.names(in: output) == [name])
        #expect(result["artifacts"]?.array?.map { $0["path"] } == [.string(name)])

        let facts = try VideoPlugin.facts("\(output)/\(name)")
        let stream = try #require(facts["streams"]?.array?.first)
        #expect(value["codec"] == .string(codec))
        #expect(stream["codec_name"] == .string(codec))
        #expect(value["width"] == stream["width"])
        #expect(value["height"] == stream["height"])
        #expect(value["bytes"]?.int.map(String.init) == facts["format"]?["size"]?.string)
        if let duration = value["durationSeconds"]?.double {
            #expect(abs(duration - 2) < 0.1)
            let sounds = facts["streams"]?.array?.count { $0["codec_type"] == "audio" }
            #expect(sounds == (members["audio"] == "remove" ? 0 : 1))
        }
    }

    @Test("frames takes pictures at the asked rate, also from less than one step")
    func frames() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/in.mp4")
        for (rate, count) in [(4.0, 8), (0.01, 1)] {
            let output = try folder.output("out\(count)")
            let end = try VideoPlugin.run(
                ["operation": "frames", "input": .string("\(folder.path)/in.mp4"), "fps": .double(rate)],
                in: output
            )
            #expect(end.lines.last?["value"]?["count"] == .int(Int64(count)))
            #expect(end.lines.last?["artifacts"]?.array?.count == count)
            #expect(Folder.names(in: "\(output)/frames").count == count)
        }
    }

    @Test("a file that does not say its length has its frames counted")
    func countedFrames() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/in.h264", more: ["-f", "h264"])
        let end = try VideoPlugin.run(
            ["operation": "transcode", "input": .string("\(folder.path)/in.h264")],
            in: try folder.output()
        )
        #expect(end.lines.contains { $0["message"]?.string?.hasPrefix("frame 50 of 50") ?? false })
        #expect(end.lines.last?["type"] == "result")
    }

    @Test("a cancelled task stops ffmpeg and leaves no file")
    func cancelled() throws {
        let folder = try Folder()
        // Long enough not to be finished before it is cancelled.
        let input = "\(folder.path)/long.mkv"
        try VideoPlugin.makeClip(input, size: "640x360", seconds: 60, more: ["-c:v", "mpeg4"])
        let output = try folder.output()
        let run = try VideoPlugin.start(
            ["operation": "transcode", "input": .string(input), "preset": "slow", "codec": "hevc"],
            in: output
        )
        while let line = run.line(), !line.contains("progress") {}
        #expect(Folder.names(in: output) == [".partial"])
        #expect(kill(run.pid, SIGTERM) == 0)
        let end = try run.end()
        let last = try JSONValue(parsing: try #require(end.lines.last))
        #expect(last["code"] == "cancelled")
        #expect(end.status == 1)
        #expect(Folder.names(in: output).isEmpty)
        #expect(children(naming: output).isEmpty)
    }

    @Test("what is no video is refused as bad input, without a retry", arguments: BadInput.allCases)
    func badInput(kind: BadInput) throws {
        let folder = try Folder()
        let input = try kind.make(in: folder)
        let output = try folder.output()
        for operation in ["transcode", "thumbnail"] {
            let end = try VideoPlugin.run(
                ["operation": .string(operation), "input": .string(input)],
                in: output
            )
            #expect(end.status == 1)
            #expect(end.lines.last?["code"] == "bad_input")
            #expect(end.lines.last?["retryable"] == false)
            #expect(end.lines.last?["message"]?.string?.contains(input) ?? false)
        }
        #expect(Folder.names(in: output).isEmpty)
    }

    @Test("names that look like options, protocols or patterns are just names")
    func oddNames() throws {
        let folder = try Folder()
        let input = "\(folder.path)/-f concat:%03d 'ü.mp4"
        try VideoPlugin.makeClip("file:" + input)
        for (operation, name) in [
            ("greyscale", "f concat:%03d 'ü-grey.mp4"), ("thumbnail", "f concat:%03d 'ü-thumbnail.png"),
        ] {
            let output = try folder.output(operation)
            let end = try VideoPlugin.run(
                ["operation": .string(operation), "input": .string(input)],
                in: output
            )
            #expect(end.status == 0)
            #expect(Folder.names(in: output) == [name])
        }
    }

    @Test("a time after the end and a missing ffmpeg say what to do")
    func fixes() throws {
        let folder = try Folder()
        let input = JSONValue.string("\(folder.path)/in.mp4")
        try VideoPlugin.makeClip("\(folder.path)/in.mp4")
        let output = try folder.output()
        let late = try VideoPlugin.run(["operation": "thumbnail", "input": input, "at": 7], in: output)
        #expect(late.lines.last?["code"] == "bad_params")
        #expect(late.lines.last?["message"] == "'at' is 7.0 s, and the video ends at 2.0 s.")
        let bare = try VideoPlugin.run(["operation": "thumbnail", "input": input], in: output, isBare: true)
        #expect(bare.lines.last?["code"] == "missing_program")
        #expect(bare.lines.last?["fix"]?.string?.contains("apt-get install ffmpeg") ?? false)
    }

    @Test("running leaves the plugin's own directory as it is")
    func leavesNoByteCode() throws {
        let before = Folder.names(in: try VideoPlugin.plugin().directory)
        let folder = try Folder()
        _ = try VideoPlugin.run(["operation": "thumbnail", "input": "/nowhere"], in: folder.path)
        #expect(before.contains("main.py"))
        #expect(Folder.names(in: try VideoPlugin.plugin().directory) == before)
    }
}

enum BadInput: String, CaseIterable {
    case absent, empty, text, noise, sound, truncated, playlist, nothing

    func make(in folder: borrowing Folder) throws -> String {
        let name = "\(rawValue).mp4"
        let path = "\(folder.path)/\(name)"
        switch self {
        case .absent: break
        case .empty: try folder.save([], as: name)
        case .text: try folder.save("just words\n".utf8, as: name)
        case .noise:
            let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
            try folder.save(bytes, as: name)
        case .playlist:
            try folder.save("#EXTM3U\n#EXTINF:4,\n/etc/hostname\n#EXT-X-ENDLIST\n".utf8, as: name)
        case .sound: try Run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "1", path]).end()
        case .truncated:
            try VideoPlugin.makeClip(path)
            // The index of an mp4 lies at its end.
            guard truncate(path, 3000) == 0 else { throw SystemError("truncate", errno) }
        case .nothing: try VideoPlugin.makeClip(path, seconds: 0)
        }
        return path
    }
}

/// The processes that work in `directory`.
private func children(naming directory: String) -> [String] {
    Folder.names(in: "/proc").filter { name in
        guard name.allSatisfy(\.isNumber), let link = realpath("/proc/\(name)/cwd", nil) else { return false }
        defer { free(link) }
        return String(cString: link) == directory
    }
}
