// What people and pipes see: data on stdout, everything else on stderr.

import ArgumentParser
import BelfryCore
import BelfryStdoutSink
import Glibc

enum Output {
    nonisolated(unsafe) private static var buffer: [UInt8] = []  // The CLI prints from its main thread only.

    /// One line of data. Written out at once unless `isBuffered`.
    static func line(_ text: String, isBuffered: Bool = false) {
        buffer += text.utf8
        buffer.append(0x0A)
        if !isBuffered || buffer.count > 65536 { flush() }
    }

    static func bytes(_ bytes: [UInt8]) {
        buffer += bytes
        flush()
    }

    static func json(_ value: JSONValue) { line(isatty(1) != 0 ? value.prettyText : value.text) }

    /// Writes everything out. A closed reader ends the program quietly; a full disk does so with a word.
    static func flush() {
        var rest = buffer[...]
        buffer = []
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
            if written < 0, errno == EINTR { continue }
            if written < 0, errno == EPIPE { exit(0) }
            if written < 0 {
                note("belfry: cannot write: \(String(cString: strerror(errno)))")
                exit(ExitStatus.failure)
            }
            rest = rest.dropFirst(written)
        }
    }

    /// A line for people, on stderr.
    static func note(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }

    static func error(_ error: BelfryError) {
        note("belfry: \(Terminal.visible(error.message))")
        if let fix = error.fix { note("  fix: \(Terminal.visible(fix))") }
    }
}

/// When to colour: `--color` over NO_COLOR over TERM=dumb over whether it is a terminal.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never

    func isOn(for descriptor: Int32, environment: [String: String]) -> Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto:
            environment["NO_COLOR", default: ""].isEmpty && environment["TERM"] != "dumb"
                && isatty(descriptor) != 0
        }
    }
}

/// Rows with columns that line up.
struct Table {
    private var rows: [[String]] = []

    init(_ header: [String]) { rows.append(header) }

    mutating func add(_ row: [String]) { rows.append(row.map { Terminal.visible($0) }) }

    func print() {
        let columns = rows[0].indices
        let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for row in rows {
            let cells = columns.map { column in
                column == columns.last
                    ? row[column]
                    : row[column] + String(repeating: " ", count: widths[column] - row[column].count)
            }
            var text = cells.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            Output.line(text, isBuffered: true)
        }
        Output.flush()
    }
}

/// Numbers and times for people.
enum Format {
    static func percent(_ value: Double) -> String { "\(Int(value.rounded(.down))) %" }

    static func tasks(_ count: Int64) -> String { count == 1 ? "1 task" : "\(count) tasks" }

    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        if seconds < 10 { return "\((seconds * 10).rounded() / 10) s" }
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
        return whole < 86_400
            ? "\(whole / 3600) h \(whole / 60 % 60) min" : "\(whole / 86_400) d \(whole / 3600 % 24) h"
    }

    static func ago(_ time: Timestamp) -> String {
        duration(max(0, SystemWallClock().now.since(time).seconds)) + " ago"
    }

    static func size(_ bytes: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(bytes) B" : "\((value * 10).rounded() / 10) \(units[unit])"
    }

    /// The path of a `file:` URI.
    static func path(_ uri: String) -> String { FileURI.path(uri) ?? uri }
}
