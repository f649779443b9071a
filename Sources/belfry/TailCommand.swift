// belfry tail: the event stream on a terminal or in a pipe.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct TailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Prints the last events, then follows.",
        discussion: """
            Survives a restart of the hub without a gap or a repeat. For the log of one task use: belfry log -f TASK
            """
    )

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp("How many past events to print first: a number or all.", valueName: "n")
    )
    var lines = "10"
    @Flag(name: .shortAndLong, inversion: .prefixedNo, help: "Wait for new events.") var follow = true
    @Flag(help: "One JSON object a line.") var json = false
    @Flag(help: "Print progress as well.") var progress = false
    @Flag(help: "Print the place of the last event on stderr at the end.") var showCursor = false
    @Option(help: ArgumentHelp("Begin after this place, as --show-cursor printed it.", valueName: "cursor"))
    var afterCursor: String?
    @Flag(name: .customLong("no-retry"), help: "End when the hub goes away.") var noRetry = false
    @Flag(help: "Times in UTC.") var utc = false
    @Option(help: "Colours: auto, always or never.") var color = ColorChoice.auto
    @Argument(help: .hidden) var unexpected: [String] = []

    func validate() throws {
        if let word = unexpected.first {
            throw ValidationError("tail takes no task; for the log of '\(word)' use: belfry log -f \(word)")
        }
        guard lines == "all" || Int(lines).map({ $0 >= 0 }) == true else {
            throw ValidationError("-n takes a number or 'all', not '\(lines)'.")
        }
        if let afterCursor, EventCursor(afterCursor) == nil {
            throw ValidationError("'\(afterCursor)' is not a cursor; use one that --show-cursor printed.")
        }
    }

    func run() throws {
        let session = Session()
        var stream = EventStream(session: session)
        stream.withProgress = progress
        stream.cursor = afterCursor.flatMap { EventCursor($0) }
        stream.last = lines
        stream.retries = !noRetry
        let printer = EventPrinter(
            json: json,
            utc: utc,
            color: color.isOn(for: 1, environment: session.environment)
        )
        defer {
            Output.flush()
            if showCursor, let cursor = stream.cursor { Output.note("-- cursor: \(cursor)") }
        }
        guard follow else {
            try stream.readOnce(printer.print)
            return
        }
        ReaderWatch.start()
        // Without a hub there is a log all the same: first that, then what a hub adds.
        if (try? session.client.send("GET", "/v1/version")) == nil {
            _ = try? stream.readOnce(printer.print)
        }
        try stream.read(printer.print)
    }
}

/// Prints lines of the stream as JSON or for people.
struct EventPrinter {
    private let json: Bool
    private let formatter: EventFormatter

    init(json: Bool, utc: Bool, color: Bool) {
        self.json = json
        formatter = EventFormatter(isColored: color, isUTC: utc)
    }

    func print(_ line: EventStream.Line) throws -> EventStream.Next {
        switch line {
        case .event(let record):
            if json {
                Output.bytes(record.json + [0x0A])
            } else {
                Output.line(formatter.line(try record.event()))
            }
        case .progress(let update): Output.line(json ? update.json.text : formatter.line(update))
        case .gap(let gap): Output.line(json ? gap.json.text : formatter.line(gap))
        }
        return .goOn
    }
}
