// belfry plugin log: what a plugin that stays wrote, and what became of it. The hub writes the file; whoever
// asks reads it, with a hub or without.

import ArgumentParser
import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

struct PluginLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Prints what a plugin that stays wrote to stderr, with its starts and crashes.",
        discussion: """
            Of plugins with a process of their own: MCP servers and observers. A plugin with a process for each task has \
            no log but those of its tasks: belfry log TASK.
            """
    )

    @Argument(help: "The plugin's id.") var plugin: String
    @Flag(name: .shortAndLong, help: "Follow until it is interrupted.") var follow = false

    func run() throws {
        let session = Session()
        // It says which there are, and keeps paths out.
        let found = try session.ask("GET", "/v1/plugins/\(URLText.encode(plugin))")
        guard found["protocol"]?.string != "exec/1" else {
            return Output.note(
                "\(plugin) has a process for each task, and each task its log: belfry log TASK"
            )
        }
        let path = "\(session.places.pluginLogs)/\(plugin).log"
        let older = (try? FileBytes.read(path + ".1")) ?? []
        var reader = PluginLogReader(path: path)
        let hadOlder = PluginLogReader.print(older)
        if !reader.copy(), !hadOlder { Output.note("\(plugin) has written nothing yet.") }
        guard follow else { return }
        ReaderWatch.start()
        while true {
            // Nobody tells of changes to a file as simply as it is looked at.
            usleep(200_000)
            _ = reader.copy()
        }
    }
}

/// Copies a file that grows and is replaced to stdout.
private struct PluginLogReader {
    let path: String
    private var descriptor: Int32 = -1
    private var inode: ino_t = 0

    init(path: String) { self.path = path }

    /// - Returns: whether there was something new.
    mutating func copy() -> Bool {
        var isNew = descriptor >= 0 && Self.print(FileBytes.readToEnd(descriptor))
        var info = stat()
        guard stat(path, &info) == 0, descriptor < 0 || info.st_ino != inode else { return isNew }
        if descriptor >= 0 {
            // What came before it was replaced, but after it was read.
            if Self.print(FileBytes.readToEnd(descriptor)) { isNew = true }
            close(descriptor)
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0, fstat(descriptor, &info) == 0 else { return isNew }
        inode = info.st_ino
        if Self.print(FileBytes.readToEnd(descriptor)) { isNew = true }
        return isNew
    }

    static func print(_ bytes: [UInt8]) -> Bool {
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            Output.line(Terminal.visible(String(line)), isBuffered: true)
        }
        Output.flush()
        return !bytes.isEmpty
    }
}
