// What an author sees of a plugin that is tried. Nothing that a plugin says may act on the terminal.

import BelfryCore
import BelfryPlugins
import BelfryStdoutSink
import Glibc
import Synchronization

enum TrialText {
    @Sendable static func trace(_ frame: PluginFrame, _ line: String) {
        note((frame == .sent ? "→ " : "← ") + line)
    }

    @Sendable static func progress(_ percent: Double?, _ message: String?) {
        let words = [percent.map { "\(Int($0.rounded())) %" }, message].compactMap(\.self)
        note(words.joined(separator: "  "))
    }

    static func words(_ answer: ObserverTrial.Answer) -> String {
        switch answer {
        case .ack: "ack"
        case .reject(let reason): "reject: \(reason)"
        case .retry(let reason): "retry: \(reason)"
        case .none(let reason): "no answer: \(reason)"
        }
    }

    /// A line on stdout.
    static func line(_ text: String) { lines(Terminal.visible(text)) }

    /// Lines on stdout that hold nothing of a plugin's which a terminal would obey.
    static func lines(_ text: String) { FileHandleText.writeAll(Array((text + "\n").utf8), to: 1) }

    /// A line on stderr.
    @Sendable static func note(_ text: String) { FileHandleText.standardError(Terminal.visible(text)) }

    static func note(_ message: String, fix: String?) {
        note(message)
        if let fix { note("  fix: \(fix)") }
    }
}

/// The log of an attempt on stderr: its bytes come in parts, and are shown line by line.
final class TrialLog: Sendable {
    /// The longest line that is shown in one, in bytes.
    private static let longest = 65536
    private let rest = Mutex<[UInt8]>([])

    func take(_ bytes: [UInt8]) {
        rest.withLock { rest in
            rest += bytes
            while let end = rest.firstIndex(of: 0x0A) {
                TrialText.note(String(decoding: rest[..<end], as: UTF8.self))
                rest.removeSubrange(...end)
            }
            if rest.count > Self.longest { Self.show(&rest) }
        }
    }

    /// The last line may have had no end.
    func finish() { rest.withLock { Self.show(&$0) } }

    private static func show(_ rest: inout [UInt8]) {
        if !rest.isEmpty { TrialText.note(String(decoding: rest, as: UTF8.self)) }
        rest = []
    }
}
