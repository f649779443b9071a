// What a plugin says, line by line, and bytes into lines.

import BelfryCore
import Testing

@testable import BelfryPlugins

@Suite("exec/1 lines")
struct ExecLineTests {
    @Test("both forms are understood")
    func forms() {
        for line in ["::progress 33 half way", #"{"type":"progress","percent":33,"message":"half way"}"#] {
            guard case .progress(let percent, let message)? = ExecLine(line) else {
                Issue.record("not understood: \(line)")
                continue
            }
            #expect(percent == 33)
            #expect(message == "half way")
        }
        guard case .failure(let failure)? = ExecLine("::error bad_input It is upside down") else {
            Issue.record("::error is not understood")
            return
        }
        #expect(failure == TaskFailure("bad_input", "It is upside down"))
    }

    @Test(
        "a snooze is one second at least and seven days at most",
        arguments: [
            ("60", 60.0), ("0", 1), ("-5", 1), ("0.2", 1), ("1.25", 1.25), ("604800", 604_800),
            ("604801", 604_800), ("1e300", 604_800),
        ]
    )
    func snooze(written: String, seconds: Double) {
        for line in [
            "::snooze \(written) busy", #"{"type":"snooze","seconds":\#(written),"message":"busy"}"#,
        ] {
            #expect(ExecLine(line) == .snooze(TaskSnooze(for: .seconds(seconds), "busy")), "\(line)")
        }
        #expect(ExecLine("::snooze inf") == .snooze(TaskSnooze(for: .seconds(604_800))))
    }

    @Test(
        "anything else is garbage",
        arguments: [
            "", "hello", "{", "{}", "[]", #"{"type":"dance"}"#, "::dance", "::progressive 3", "12",
            "::checkpoint", "::checkpoint {", #"{"type":"checkpoint"}"#, "::snooze", "::snooze nan",
            #"{"type":"snooze"}"#, #"{"type":"snooze","seconds":"60"}"#,
        ]
    )
    func garbage(line: String) { #expect(ExecLine(line) == nil) }

    @Test("lines come out whole however the bytes come in; one that is too long is passed over")
    func splitting() {
        let text = "one\ntwo\r\n" + String(repeating: "x", count: 100) + "\nthree\nrest"
        for size in 1...text.utf8.count {
            var splitter = LineSplitter(limit: 20)
            var lines: [String] = []
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                splitter.feed(Array(bytes.prefix(size))) { lines.append($0) }
                bytes = bytes.dropFirst(size)
            }
            splitter.finish { lines.append($0) }
            #expect(lines == ["one", "two", "three", "rest"], "in pieces of \(size)")
            #expect(splitter.discarded == 1)
        }
    }
}
