// belfry sink parked and sink replay: events that a sink could not deliver.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct SinkParkedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parked",
        abstract: "Lists the events that a sink refused again and again, with the reasons."
    )

    @Argument(help: "The sink's name.") var sink: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let answer = try Session().ask("GET", "/v1/sinks/\(URLText.encode(sink))/parked")
        if json { return Output.json(answer) }
        let parked = answer["parked"]?.array ?? []
        if parked.isEmpty { return Output.note("Nothing is put aside for \(sink).") }
        var table = Table(["POSITION", "PUT ASIDE", "EVENT", "REASON"])
        for event in parked {
            table.add([
                event["position"]?.text ?? "", event["time"]?.string ?? "",
                Self.describe(event["event"]), event["reason"]?.string ?? "",
            ])
        }
        table.print()
    }

    private static func describe(_ event: JSONValue?) -> String {
        guard let type = event?["type"]?.string else { return "(no longer kept)" }
        return event?["task"]?["number"]?.int.map { "\(type) #\($0)" } ?? type
    }
}

struct SinkReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Delivers events that were put aside once more, in their order, or forgets them.",
        discussion: "belfry sink parked lists them."
    )

    @Argument(help: "The sink's name.") var sink: String
    @Argument(help: "Positions of events.") var positions: [Int64] = []
    @Flag(help: "All that are put aside.") var all = false
    @Flag(help: "Forget them instead.") var drop = false
    @Flag(help: "Print JSON.") var json = false

    func validate() throws {
        guard positions.isEmpty == all else {
            throw ValidationError("Name the positions of events, or say --all.")
        }
    }

    func run() throws {
        let word = drop ? "drop" : "replay"
        let answer = try Session().client.send(
            "POST",
            "/v1/sinks/\(URLText.encode(sink))/parked/\(word)",
            body: all ? ["all": true] : ["positions": .array(positions.map { .int($0) })]
        )
        json ? Output.json(answer) : tell(answer)
        // What was asked for did not come about.
        if answer["rejected"]?.array?.isEmpty == false || answer["stopped"] != nil {
            throw ExitCode(ExitStatus.failure)
        }
    }

    private func tell(_ answer: JSONValue) {
        let words = [
            ("dropped", "forgotten"), ("delivered", "delivered"), ("rejected", "refused again"),
            ("gone", "no longer kept, forgotten"),
        ]
        var isSilent = true
        for (key, word) in words {
            let positions = (answer[key]?.array ?? []).map(\.text)
            if positions.isEmpty { continue }
            isSilent = false
            Output.line("\(word): \(positions.joined(separator: ", "))")
        }
        if let reason = answer["stopped"]?.string {
            Output.note("stopped: \(reason)")
        } else if isSilent {
            Output.note("Nothing is put aside for \(sink).")
        }
    }
}
