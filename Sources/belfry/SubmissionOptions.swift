// What `run` and `add` share: a feature with its parameters, or a command.

import ArgumentParser
import BelfryAPI
import BelfryCore

struct SubmissionOptions: ParsableArguments {
    @Argument(help: "The feature that does the work; see: belfry feature list.")
    var feature: String?

    @Argument(help: ArgumentHelp("The feature's parameters.", valueName: "key=value"))
    var arguments: [String] = []

    /// What follows `--`, see ``Terminator``.
    @Option(
        parsing: .remaining,
        help: ArgumentHelp(
            "A command to run instead of a feature; short: -- COMMAND ARG…",
            valueName: "word"
        )
    )
    var command: [String] = []

    @Option(
        help: ArgumentHelp(
            "The parameters as a JSON object; '@FILE' reads it from a file, '-' from the standard input.",
            valueName: "json"
        )
    )
    var params: String?

    @Option(help: "What the task is called in lists and popups.")
    var title: String?

    @OptionGroup var settings: TaskSettings
    @OptionGroup var rules: SubmissionRules

    @Option(
        help: ArgumentHelp(
            "The program that submits, by its desktop id: popups carry its name and icon, and a click leads to it.",
            valueName: "desktop-id"
        )
    )
    var origin: String?

    @Option(help: "An id of your own (a UUID): sending it twice makes one task.")
    var id: String?

    @Flag(help: "The task may be run again by itself if it was interrupted.")
    var rerun = false

    @Option(
        parsing: .remaining,
        help: ArgumentHelp(
            "Another task after this one, with its own options, or -- COMMAND ARG…; ${task.result.path} is the file that this one makes. May be given several times; options of the whole chain, such as --json, come before.",
            valueName: "feature key=value …"
        )
    )
    var then: [String] = []

    func validate() throws {
        if feature == nil, command.isEmpty {
            throw ValidationError("Name a feature (see: belfry feature list), or give a command after '--'.")
        }
        if let feature, !command.isEmpty {
            throw ValidationError("Give either the feature '\(feature)' or a command after '--', not both.")
        }
        if params != nil, !arguments.isEmpty || !command.isEmpty {
            throw ValidationError("Give either --params or key=value arguments.")
        }
        for argument in arguments where !argument.contains("=") {
            throw ValidationError("'\(argument)' is not of the form key=value.")
        }
    }

    var isCommand: Bool { !command.isEmpty }

    /// The submission as the API takes it.
    func submission(_ session: Session) throws -> JSONValue {
        try GroupNote.tell(of: settings.group, session)
        let plain: PlainSubmission =
            isCommand ? .command(command) : .feature(feature ?? "shell", arguments: arguments)
        var object = try plain.submission(session)
        if let id { object["id"] = .string(id) }
        if let params {
            object["arguments"] = nil
            object["params"] = try readParams(params)
        }
        object.set("title", title.map { .string($0) })
        for (key, value) in try settings.members() { object[key] = value }
        for (key, value) in try rules.members() { object[key] = value }
        object.set("origin", origin.map { .string($0) })
        if rerun { object["onInterrupt"] = "rerun" }
        return .object(object)
    }

    /// This submission and those after `--then`, each coming after the one before; every one has an id.
    func chain(_ session: Session) throws -> [JSONValue] {
        var tasks: [JSONValue] = []
        var words = then[...]
        var next = self
        while true {
            var object = try next.submission(session).object ?? [:]
            if let earlier = tasks.last?["id"] {
                object["after"] = .array((object["after"]?.array ?? []) + [earlier])
            }
            tasks.append(.object(object))
            guard !words.isEmpty else { return tasks }
            let own = words.prefix { $0 != "--then" }
            words = words.dropFirst(own.count + 1)
            next = try Self.link(Array(own))
        }
    }

    /// What stands between two `--then`. The first `--` of the whole line is spelt out already, and others
    /// after it are words of its command.
    private static func link(_ words: [String]) throws -> SubmissionOptions {
        let spelled =
            words.contains("--command") ? words : Array(Terminator.spelledOut(["run"] + words).dropFirst())
        do { return try SubmissionOptions.parse(spelled) } catch {
            throw ValidationError(
                "After --then, in '\(words.joined(separator: " "))': \(SubmissionOptions.message(for: error)) "
                    + "Options of the whole chain, such as --json, come before the first --then."
            )
        }
    }

    private func readParams(_ text: String) throws -> JSONValue {
        let isFile = text == "-" || text.hasPrefix("@")
        let bytes =
            isFile ? try FileBytes.read(text == "-" ? text : String(text.dropFirst())) : Array(text.utf8)
        do { return try JSONValue(parsing: bytes) } catch {
            let isObject = isFile || text.hasPrefix("{")
            throw BelfryError(
                .invalidParams,
                "The params are not JSON: \(error)",
                fix: isObject
                    ? nil
                    : "Write an object, such as '{\"prompt\": \"a bell\"}', or name a file: --params @FILE"
            )
        }
    }

    static func pair(_ argument: String) -> JSONValue {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return [.string(String(parts[0])), .string(parts.count > 1 ? String(parts[1]) : "")]
    }
}
