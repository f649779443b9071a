// What `video` joins follows each other in one video, whatever the inputs are.

import BelfryCore
import Glibc
import Testing

@Suite("Joining videos", .enabled(if: VideoPlugin.isRunnable, "needs python3, ffmpeg and ffprobe"))
struct VideoJoiningTests {
    @Test("clips of other sizes, rates and sound, and pictures, take the size of the first")
    func mixed() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/a.mp4", seconds: 1, more: ["-f", "lavfi", "-i", "sine"])
        // No sound, an odd width, another rate and other colours.
        try VideoPlugin.makeClip("\(folder.path)/b.mkv", size: "121x202", seconds: 1, more: ["-r", "10"])
        try VideoPlugin.makeClip("\(folder.path)/c.png", size: "300x20", more: ["-frames:v", "1"])
        let output = try folder.output()
        let end = try VideoPlugin.run(
            [
                "operation": "concat", "inputs": paths(["a.mp4", "b.mkv", "c.png"], in: folder),
                "seconds": 1.5,
            ],
            in: output
        )
        #expect(end.status == 0, "\(end.last)")
        #expect(Folder.names(in: output) == ["a-joined.mp4"])
        #expect(end.value["width"] == 160 && end.value["height"] == 90)
        #expect(abs((end.value["durationSeconds"]?.double ?? 0) - 3.5) < 0.15)
        #expect(end.percents == end.percents.sorted() && end.percents.last == 100)
        let streams = try VideoPlugin.facts("\(output)/a-joined.mp4")["streams"]?.array
        #expect(streams?.compactMap { $0["codec_name"]?.string } == ["h264", "aac"])
        // The sound goes on to the last input: it is silent there, and does not end early.
        let sound = streams?.last?["duration"]?.string.flatMap(Double.init) ?? 0
        #expect(sound > 1.9)
    }

    @Test("without any sound there is none, and a turned first video stands upright")
    func turned() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/plain.mp4", seconds: 1)
        let turn = ["-c", "copy", "-metadata:s:v", "rotate=90", "\(folder.path)/turned.mp4"]
        try Run(["ffmpeg", "-v", "error", "-i", "\(folder.path)/plain.mp4"] + turn).end()
        let end = try VideoPlugin.run(
            ["operation": "concat", "inputs": paths(["turned.mp4", "plain.mp4"], in: folder)],
            in: try folder.output()
        )
        #expect(end.status == 0, "\(end.last)")
        #expect(end.value["width"] == 90 && end.value["height"] == 160)
        let streams = try VideoPlugin.facts("\(folder.path)/out/turned-joined.mp4")["streams"]?.array
        #expect(streams?.count == 1)
    }

    @Test(
        "names with quotes, commas, brackets, patterns and newlines are just names",
        arguments: ["-i 'x'.png", "a,b;[0:v]\"c.png", "p%03d.png", "two\nlines.png", "concat:|.png"]
    )
    func oddNames(name: String) throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/in.png", more: ["-frames:v", "1"])
        guard rename("\(folder.path)/in.png", "\(folder.path)/\(name)") == 0 else {
            throw SystemError("rename", errno)
        }
        let output = try folder.output()
        let end = try VideoPlugin.run(
            ["operation": "concat", "inputs": paths([name], in: folder), "seconds": 0.2, "height": 44],
            in: output
        )
        #expect(end.status == 0, "\(end.last)")
        #expect(end.value["width"] == 78 && end.value["height"] == 44)
        #expect(Folder.names(in: output).count == 1)
    }

    @Test("one input that is no video is named, and nothing is left")
    func refused() throws {
        let folder = try Folder()
        try VideoPlugin.makeClip("\(folder.path)/a.png", more: ["-frames:v", "1"])
        let bad = try folder.save("words".utf8, as: "b.mp4")
        let output = try folder.output()
        let end = try VideoPlugin.run(
            ["operation": "concat", "inputs": paths(["a.png", "b.mp4"], in: folder)],
            in: output
        )
        #expect(end.status == 1)
        #expect(end.last["code"] == "bad_input")
        #expect(end.last["message"]?.string?.contains(bad) ?? false)
        #expect(Folder.names(in: output).isEmpty)
    }

    private func paths(_ names: [String], in folder: borrowing Folder) -> JSONValue {
        let directory = folder.path
        return .array(names.map { .string("\(directory)/\($0)") })
    }
}
