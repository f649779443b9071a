// The command line: every command is a file of its own, thin over the hub's API.

import ArgumentParser
import BelfryCore
import Glibc

struct Belfry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "belfry",
        abstract: "Runs long jobs in the background and tells you how they stand.",
        discussion: """
            belfry run text-to-image prompt="A lighthouse at dusk"    do it, watch it, get the file
            belfry add -- make -j8                                    any command, in the background
            belfry tail                                               what happens, as it happens

            Commands that submit start the hub when none runs.
            """,
        version: BelfryVersion.current,
        subcommands: [
            RunCommand.self, AddCommand.self, BatchCommand.self, ListCommand.self, ShowCommand.self,
            LogCommand.self, WaitCommand.self, CancelCommand.self, RetryCommand.self, ClearCommand.self,
            EditCommand.self, MoveCommand.self, StashCommand.self, ReleaseCommand.self, PauseCommand.self,
            ResumeCommand.self, GroupCommand.self, ScheduleCommand.self, TailCommand.self,
            FeatureCommand.self, PluginCommand.self, SinkCommand.self, StatusCommand.self, StopCommand.self,
            DoctorCommand.self, MCPCommand.self, BackupCommand.self, RestoreCommand.self, SummaryCommand.self,
        ],
        defaultSubcommand: SummaryCommand.self
    )
}

@main
enum Main {
    static func main() {
        // A reader that goes away is told by EPIPE, in order: `belfry tail | head -1` ends quietly.
        signal(SIGPIPE, SIG_IGN)
        let typed = Array(CommandLine.arguments.dropFirst())
        do {
            try Arguments.check()
            if let plain = PlainSubmission(typed) { return try AddCommand.add(plain) }
            let words = Terminator.spelledOut(typed)
            if let hint = Synonyms.hint(for: words.first) { throw ValidationError(hint) }
            try Chain.check(words)
            var command = try Belfry.parseAsRoot(words)
            do { try command.run() } catch let error as ValidationError {
                Output.flush()
                Usage.exit(with: error, type(of: command))
            }
            Output.flush()
        } catch let error as BelfryError {
            Output.flush()
            Output.error(error)
            exit(ExitStatus.of(error))
        } catch {
            Output.flush()
            Belfry.exit(withError: error)
        }
    }
}

/// The arguments as the system gave them.
enum Arguments {
    /// - Throws: ``BelfryError`` when one is not UTF-8: passed on, it would name another file than was meant.
    static func check() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else {
                continue
            }
            throw BelfryError(
                .invalidRequest,
                "Argument \(index) is not UTF-8: '\(String(cString: bytes))'.",
                fix: "Rename the file, or hand its name over by a script or a file of names."
            )
        }
    }
}

/// What stands after `--`. The parser takes one list of positional arguments and cannot say which
/// of them came after the `--`, so it is given the option that the `--` is short for.
enum Terminator {
    private static let options = [
        "run": "--command", "add": "--command", "batch": "--values", "schedule": "--command",
    ]

    static func spelledOut(_ words: [String]) -> [String] {
        guard let option = words.first.flatMap({ options[$0] }), let dashes = words.firstIndex(of: "--")
        else {
            return words
        }
        var words = words
        words[dashes] = option
        return words
    }
}

/// A `--then` that nothing follows: the parser takes it for none at all.
enum Chain {
    static func check(_ words: [String]) throws {
        guard words.last == "--then", ["run", "add"].contains(words.first) else { return }
        // After `--` every word is the command's, up to the next link of the chain at most.
        if let command = words.firstIndex(of: "--command"), !words[..<command].contains("--then") { return }
        throw ValidationError("--then wants a feature with its parameters, or -- COMMAND ARG…, after it.")
    }
}

/// What is found wrong after the parser is done: told with the usage of the command, as the parser does.
enum Usage {
    static func exit(with error: ValidationError, _ command: any ParsableCommand.Type) -> Never {
        Output.note("Error: \(error.message)")
        Output.note(Belfry.usageString(for: command))
        Glibc.exit(64)
    }
}

/// Words that other tools' users type, answered with ours.
enum Synonyms {
    private static let ours = [
        "kill": "cancel", "rm": "clear", "remove": "clear", "clean": "clear", "follow": "log -f",
        "ls": "list",
        "logs": "log", "restart": "retry (a task), or stop (the hub)", "start": "run", "submit": "add",
        "enqueue": "release (a stashed task), or add", "ps": "list", "parallel": "group set NAME --slots N",
        "switch": "move", "hold": "stash", "unhold": "release", "cron": "schedule", "events": "tail",
        "watch": "tail", "features": "feature list",
        "plugins": "plugin list", "sinks": "sink list",
    ]

    static func hint(for word: String?) -> String? {
        guard let word, let instead = ours[word] else { return nil }
        return "There is no command '\(word)'; use: belfry \(instead)"
    }
}

/// What the exit status means; the same list is in Docs/CommandLine.md.
enum ExitStatus {
    static let failure: Int32 = 1
    static let noHub: Int32 = 69
    static let permission: Int32 = 77
    static let timeout: Int32 = 124
    static let interrupted: Int32 = 130

    static func of(_ error: BelfryError) -> Int32 {
        switch error.code {
        case .noHub: noHub
        case .notWritable: permission
        case .invalidRequest, .invalidParams, .unknownFeature: 64
        default: failure
        }
    }
}
