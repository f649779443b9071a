// belfry plugin new, validate, test and run: what an author needs before there is anything to add. belfryd
// does them, because it has the code that runs plugins; no hub is started.

import ArgumentParser
import BelfryAPI
import BelfryCore
import Glibc

/// Hands over to `belfryd plugin-tool`, in place of this process.
enum PluginTool {
    /// - Throws: ``BelfryError`` when there is no belfryd.
    static func become(_ order: JSONObject) throws -> Never {
        Output.flush()
        let programs = HubStarter.programsDirectory(environment: Session().environment)
        guard let hub = HubStarter.program("belfryd", in: programs) else {
            throw BelfryError(
                .noHub,
                "There is no belfryd in \(programs).",
                fix: "Install Belfry as a whole (make install), or set BELFRY_BIN_DIR."
            )
        }
        let words = [hub, "plugin-tool", JSONValue.object(order).text]
        let pointers = words.map { strdup($0) } + [nil]
        execv(hub, pointers)
        throw BelfryError(.internalError, "\(hub) cannot be started: \(String(cString: strerror(errno))).")
    }
}

struct PluginNewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Makes a plugin to begin with: in a language, or of a command.",
        discussion: """
            belfry plugin new greeter --lang python
            belfry plugin new counter --lang swift --belfry ~/src/belfry
            belfry plugin new thumb --from-command 'convert {image} -resize {percent:integer=50}% {output.png}'

            In a command {name} is a parameter, {name=value} one with a default, and {name:file}, {name:integer},
            {name:number} or {name:boolean} says what it must be; image, video, input and the like are files by
            themselves. {output} or {output.png} is the file that comes out. There is no shell: pipes, *, $NAME and the \
            like are not interpreted. For those:

            belfry plugin new top --from-command "sh -c 'sort \\"\\$1\\" | head' sh {file}"
            """
    )

    @Argument(help: "The plugin's id, and its feature's.") var plugin: String
    @Option(name: .customLong("lang"), help: "sh, python or swift; sh by itself.") var language: String?
    @Option(help: "A checkout of Belfry, which a plugin in Swift is built with.") var belfry: String?
    @Option(help: "The command that the feature runs.") var fromCommand: String?
    @Option(help: "Where to put it; ./ID by itself.") var dir: String?

    func validate() throws {
        guard belfry == nil || language == "swift" else {
            throw ValidationError("--belfry goes with --lang swift.")
        }
        guard language != nil, fromCommand != nil else { return }
        throw ValidationError(
            "--lang and --from-command exclude each other: a command becomes a script of sh."
        )
    }

    func run() throws {
        var order: JSONObject = ["do": "new", "id": .string(plugin), "directory": .string(dir ?? plugin)]
        order.set("language", language.map { .string($0) })
        order.set("belfry", belfry.map { .string($0) })
        order.set("command", fromCommand.map { .string($0) })
        try PluginTool.become(order)
    }
}

struct PluginValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Says everything that is wrong with a plugin's directory."
    )

    @Argument(help: "The directory that has its plugin.json.") var directory = "."

    func run() throws { try PluginTool.become(["do": "validate", "directory": .string(directory)]) }
}

struct PluginTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Tries a plugin the way the hub would: its examples to the end, and one cancelled.",
        discussion: """
            Of an observer: an event of each kind that it hears, and a gap; it does with them what it does with real ones.

            Needs no hub. Exit status 1 when a case failed.
            """
    )

    @Argument(help: "The directory that has its plugin.json.") var directory = "."
    @Option(help: ArgumentHelp("How long an attempt may take, in seconds.", valueName: "seconds"))
    var timeout = 60.0
    @Option(help: ArgumentHelp("Write JUnit's XML there too.", valueName: "file")) var junit: String?

    func validate() throws {
        guard timeout > 0, timeout <= 86_400 else {
            throw ValidationError("--timeout must be more than 0 and at most 86400 seconds.")
        }
    }

    func run() throws {
        var order: JSONObject = ["do": "test", "directory": .string(directory), "timeout": .double(timeout)]
        order.set("junit", junit.map { .string($0) })
        try PluginTool.become(order)
    }
}

struct PluginRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs one attempt of a plugin in a directory, without adding it.",
        discussion: """
            Needs no hub, and makes no task. The result is printed as JSON; progress and the log go to stderr.

            belfry plugin run ./greeter name=Ada --trace

            An observer gets the events on stdin, and its answers are printed; from a terminal it gets samples.

            belfry tail --json | belfry plugin run ./diary --trace
            """
    )

    @Argument(help: "The directory that has its plugin.json.") var directory: String
    @Argument(help: ArgumentHelp("Parameters as key=value.", valueName: "key=value")) var params: [String] =
        []
    @Option(help: "Which feature, when there are several.") var feature: String?
    @Option(
        help: ArgumentHelp(
            "Where its files go; by itself a new directory below /tmp, which stays when there are any.",
            valueName: "dir"
        )
    )
    var output: String?
    @Flag(help: "Show every line that goes to the plugin (→) and comes from it (←).") var trace = false

    func run() throws {
        var order: JSONObject = [
            "do": "run", "directory": .string(directory), "trace": .bool(trace),
            "params": .array(params.map { .string($0) }),
        ]
        order.set("feature", feature.map { .string($0) })
        order.set("output", output.map { .string($0) })
        try PluginTool.become(order)
    }
}
