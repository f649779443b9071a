// belfry backup and restore: the store in a file, and back.

import ArgumentParser
import BelfryAPI
import BelfryCore
import Glibc

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Writes a copy of the store, also while the hub works.",
        discussion: """
            The copy has all tasks, events, schedules and groups, and the environments of commands that wait: keep \
            it private. Result files and logs are not in it.
            """
    )

    @Argument(help: "The file to write; it must not be there yet.") var file: String

    func run() throws {
        let path = Paths.absolute(file)
        _ = try Session().ask("POST", "/v1/backup", body: ["path": .string(path)])
        Output.line(path)
    }
}

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Puts a backup in the place of the store; the hub must not run.",
        discussion: "The store that is there is kept beside it. Readers of events see a new log begin."
    )

    @Argument(help: "A file that belfry backup has written.") var file: String
    @Flag(help: "Do not ask.") var yes = false

    func run() throws {
        if !yes, !(try Confirmation.ask("Put \(file) in the place of the store?")) {
            throw ExitCode(ExitStatus.failure)
        }
        let answer = try Session.parse(try OfflineHub(session: Session()).restore(Paths.absolute(file)))
        Output.line("restored \(answer["store"]?.string ?? "")")
        if let kept = answer["kept"]?.string { Output.note("What was there is kept: \(kept)") }
    }
}

enum Paths {
    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        var buffer = [CChar](repeating: 0, count: 4096)
        let directory = getcwd(&buffer, buffer.count).map { String(cString: $0) } ?? ""
        return "\(directory)/\(path)"
    }
}
