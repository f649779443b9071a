// belfry batch: many tasks at once, all accepted or none.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct BatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch",
        abstract: "Submits many tasks as one batch: all are accepted, or none.",
        usage: """
            belfry batch FEATURE --from FILE [key=value …]
            belfry batch FEATURE --each PARAM [key=value …] -- VALUE…
            """
    )

    @Argument(help: "The feature that does the work.") var feature: String
    @Argument(help: ArgumentHelp("Parameters that all tasks share.", valueName: "key=value")) var arguments:
        [String] = []
    @Option(
        parsing: .remaining,
        help: ArgumentHelp("With --each: one task for each value; short: -- VALUE…", valueName: "value")
    )
    var values: [String] = []

    @Option(
        help: "JSON Lines, one task's parameters a line, or CSV with a header; '-' is the standard input."
    )
    var from: String?
    @Option(
        help: ArgumentHelp("The parameter that takes a value of its own in each task.", valueName: "param")
    )
    var each: String?
    @Option(help: "What the batch is called.") var title: String?
    @OptionGroup var settings: TaskSettings
    @OptionGroup var rules: SubmissionRules
    @Option(
        help: ArgumentHelp("The program that submits, by its desktop id.", valueName: "desktop-id")
    )
    var origin: String?
    @Flag(help: "Print the answer as JSON.") var json = false
    @Flag(help: "Wait for all of them.") var wait = false

    func validate() throws {
        guard (from == nil) != (each == nil) else {
            throw ValidationError("Give either --from FILE, or --each PARAM with values after '--'.")
        }
        if each != nil, values.isEmpty { throw ValidationError("--each needs values after '--'.") }
        for argument in arguments where !argument.contains("=") {
            throw ValidationError("'\(argument)' is not of the form key=value.")
        }
    }

    func run() throws {
        let session = Session()
        let context = try session.context(withEnvironment: feature == "shell").json
        try GroupNote.tell(of: settings.group, session)
        var shared = try settings.members()
        for (key, value) in try rules.members() { shared[key] = value }
        shared.set("origin", origin.map { .string($0) })
        let tasks = try pairs().map { params -> JSONValue in
            var task: JSONObject = ["id": Session.newTaskID(), "featureId": .string(feature)]
            switch params {
            case .object: task["params"] = merged(params)
            default: task["arguments"] = params
            }
            for (key, value) in shared { task[key] = value }
            return .object(task)
        }
        var body: JSONObject = ["tasks": .array(tasks)]
        body["context"] = context
        body.set("title", title.map { .string($0) })
        let answer = try session.submit("POST", "/v1/batches", body: .object(body)).answer
        let numbers = (answer["tasks"]?.array ?? []).compactMap { $0["number"]?.int }
        if json {
            Output.json(answer)
        } else {
            Output.line("\(numbers.first ?? 0)-\(numbers.last ?? 0)\t\(answer["batch"]?["id"]?.string ?? "")")
        }
        guard wait, !numbers.isEmpty else { return }
        try WaitCommand.wait(numbers.map(String.init), session)
    }

    /// Each task's params: an object, or a list of argument pairs.
    private func pairs() throws -> [JSONValue] {
        if let each {
            return values.map { value in
                .array([[.string(each), .string(value)]] + arguments.map(SubmissionOptions.pair))
            }
        }
        let bytes = try FileBytes.read(from ?? "-")
        let first = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
        return first == UInt8(ascii: "{") ? try jsonLines(bytes) : try csv(bytes)
    }

    private func merged(_ params: JSONValue) -> JSONValue {
        var object = params.object ?? [:]
        for argument in arguments {
            guard let pair = SubmissionOptions.pair(argument).array, let key = pair[0].string else {
                continue
            }
            if object[key] == nil { object[key] = (try? JSONValue(parsing: pair[1].string ?? "")) ?? pair[1] }
        }
        return .object(object)
    }

    private func jsonLines(_ bytes: [UInt8]) throws -> [JSONValue] {
        var tasks: [JSONValue] = []
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x0D }) { continue }
            do { tasks.append(try JSONValue(parsing: line)) } catch {
                throw BelfryError(.invalidRequest, "Line \(index + 1) is not JSON: \(error)")
            }
        }
        return tasks
    }

    private func csv(_ bytes: [UInt8]) throws -> [JSONValue] {
        let rows = CSV.rows(String(decoding: bytes, as: UTF8.self))
        guard let header = rows.first else { throw BelfryError(.invalidRequest, "The file is empty.") }
        return try rows.dropFirst().enumerated().map { index, row in
            guard row.count == header.count else {
                throw BelfryError(
                    .invalidRequest,
                    "Row \(index + 2) has \(row.count) fields; the header has \(header.count)."
                )
            }
            let cells = zip(header, row).filter { !$0.1.isEmpty }.map {
                JSONValue.array([.string($0.0), .string($0.1)])
            }
            return .array(cells + arguments.map(SubmissionOptions.pair))
        }
    }
}

/// Comma-separated values (RFC 4180).
enum CSV {
    static func rows(_ text: String) -> [[String]] {
        var rows: [[String]] = []
        var row: [String] = []
        var field = ""
        var isQuoted = false
        var iterator = text.unicodeScalars.makeIterator()
        var pending = iterator.next()
        func isLineEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" }
        while let scalar = pending {
            pending = iterator.next()
            if isQuoted {
                if scalar == "\"", pending == "\"" {
                    field.unicodeScalars.append(scalar)
                    pending = iterator.next()
                } else if scalar == "\"" {
                    isQuoted = false
                } else {
                    field.unicodeScalars.append(scalar)
                }
            } else if scalar == "\"" {
                isQuoted = true
            } else if scalar == "," {
                row.append(field)
                field = ""
            } else if isLineEnd(scalar) {
                if !row.isEmpty || !field.isEmpty { rows.append(row + [field]) }
                row = []
                field = ""
            } else {
                field.unicodeScalars.append(scalar)
            }
        }
        if !row.isEmpty || !field.isEmpty { rows.append(row + [field]) }
        return rows
    }
}
