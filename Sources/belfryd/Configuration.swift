// The hub's configuration: defaults, what the TOML files change, and the commented file that
// `belfryd --print-config` shows. A test reads that file back and finds the defaults.

import BelfryAPI
import BelfryCore
import BelfryDesktop
import BelfryFileSink
import BelfryPlugins
import BelfryService
import Logging
import TOMLKit

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Everything that can be configured.
struct Configuration: Equatable {
    /// Defaults to info.
    var logLevel = Logger.Level.info
    /// An autostarted hub ends after so long without tasks and watchers; zero means never. Defaults to 30 minutes.
    var idleTime = Duration.seconds(30 * 60)
    /// Attempts run at once. Defaults to the number of cores.
    var concurrency = ProcessInfo.processInfo.activeProcessorCount
    /// What a shutdown leaves for attempts to end by themselves. Defaults to 10 seconds.
    var drainTime = Duration.seconds(10)
    /// Who takes turns within a priority. Defaults to nobody: first come, first served.
    var fairness = Fairness.none
    /// Free space for results below which nothing new starts, in bytes. Defaults to 200 MiB.
    var diskReserve: Int64 = 200 << 20
    /// What there is of named resources, as far as it is not found out. Defaults to nothing said.
    var resources: [String: ResourceAmount] = [:]
    /// What is kept of finished work. Defaults to all tasks, and events for 90 days.
    var retention = Retention()
    /// Directories with plugins beside the bundled, the system's and the user's. Defaults to none.
    var pluginDirectories: [String] = []
    /// What the user sets for single plugins, by their ids. Defaults to nothing.
    var pluginSettings: [String: JSONObject] = [:]
    /// Variables for the plugins that ask for them by name, beside the hub's own. Defaults to none.
    var environment: [String: String] = [:]
    /// Secrets for the plugins that ask for them by name. Defaults to none.
    var secrets = PluginSecrets()
    /// Defaults to true.
    var isFileSinkEnabled = true
    /// Defaults to `events.jsonl` in the state directory.
    var eventLogPath: String?
    /// Defaults to 64 MiB.
    var rotateBytes: Int64 = 64 << 20
    /// Defaults to 7 days.
    var rotateAge = Duration.seconds(7 * 86_400)
    /// Rotated files that are kept. Defaults to 8.
    var keepFiles = 8
    /// Defaults to true.
    var compressFiles = true
    /// Whether a delivered batch is synced to disk before the next. Defaults to true.
    var syncsFile = true

    /// Defaults to true.
    var isDesktopSinkEnabled = true
    var desktop = DesktopConfiguration()

    func fileSink(_ places: Places) -> FileSink.Configuration {
        var sink = FileSink.Configuration(path: eventLogPath ?? places.eventLog)
        sink.maxBytes = rotateBytes
        sink.maxAge = rotateAge
        sink.keep = keepFiles
        sink.compresses = compressFiles
        sink.syncs = syncsFile
        return sink
    }

    /// What `belfryd --print-config` prints.
    static let template = """
        # Belfry's configuration: ~/.config/belfry/config.toml
        # Every key may be left out; what is shown here is what Belfry does by itself.
        # The hub reads it when it starts: a change holds after belfry stop.

        [hub]
        # How much the hub tells about itself: trace, debug, info, notice, warning, error, critical.
        log_level = "info"
        # A hub that a submission started ends after so many minutes without tasks and watchers.
        # 0 means never.
        idle_minutes = 30

        [worker]
        # Tasks that run at once. 0 means as many as the machine has cores.
        concurrency = 0
        # What a shutdown leaves for running tasks to end by themselves, in seconds. What is not
        # done by then runs again when the hub is back.
        drain_seconds = 10
        """ + "\n" + queueTemplate + "\n\n" + """
            [plugins]
            # More directories with plugins, beside Belfry's own, the system's and yours.
            directories = []

            # What single plugins are set to, each in a table with the plugin's id. Their READMEs list the names;
            # for observers the hub itself knows events, event_features and start.
            #     [plugins.webhook]
            #     urls = ["https://example.org/hook"]
            #     events = ["completed", "failed"]

            [environment]
            # Variables for the plugins that ask for them by name ("pass_env" in plugin.json), such as the
            # address of a model and its key. They come before those of the hub's own environment.
            # OPENAI_BASE_URL = "http://localhost:8080/v1"

            [secrets]
            # Keys and passwords for the plugins that ask for them by name ("secrets" in plugin.json). Nobody else
            # gets them, and nothing shows them. A file must be readable for you alone (chmod 600).
            # OPENAI_API_KEY = { file = "/home/me/.keys/openai" }

            [sinks.file]
            # The event log, one JSON object a line.
            enabled = true
            # Where it is. Empty means events.jsonl in the state directory.
            path = ""
            # A new file is begun at this size, in MiB, or at this age, in days.
            rotate_mb = 64
            rotate_days = 7
            # How many old files are kept, and whether they are compressed (gzip).
            keep = 8
            compress = true
            # Whether every batch of events is synced to disk before the next.
            sync = true

            [sinks.desktop]
            # Popups on your desktop; belfry sink test desktop shows each kind.
            enabled = true
            # Whether running tasks have popups, and after how many seconds.
            progress = true
            progress_after_seconds = 3
            # With more running tasks than this, one popup stands for all.
            aggregate_above = 3
            # With more outcomes than this within two seconds, one popup stands for all.
            summary_above = 3
            # Keeps prompts, file names, errors and pictures out of popups.
            private = false
            # Whether outcomes sound, and show the picture that was made.
            sounds = true
            pictures = true
            # Times of day in which popups are held back, to end in one report, such as
            # ["22:00-07:00", "sat,sun 00:00-24:00"].
            quiet_hours = []

            [sinks.desktop.text]
            # What popups say. A line or a part between dots that comes out empty is left out.
            # Known are {feature} {title} {number} {id} {user} {origin} {labels} {attempt}, for progress
            # {percent} {left} {message}, for outcomes {duration} {error} {fix} {result}, and for batches
            # {total} {done} {failed}.
            progress_title = "{title}"
            progress_body = "{feature} · {percent} · {left}\\n{message}"
            completed_title = "✨ Generation Complete!"
            completed_body = "Your {feature} task has finished successfully.\\n{title} · #{number} · {duration}"
            failed_title = "❌ Generation Failed"
            failed_body = "{error}\\n{title} · #{number} · {duration}"
            cancelled_title = "Cancelled"
            cancelled_body = "{title} · #{number} · {duration}"

            # Rules: the first that fits a popup decides about it. Conditions are feature, user and origin
            # (with * and ?), outcome (progress, completed, failed or cancelled), min_seconds and max_seconds;
            # what they decide is urgency (none, low, normal or critical), title and body. This one keeps
            # quick successes quiet:
            # [[sinks.desktop.rules]]
            # outcome="completed"
            # max_seconds=10
            # urgency="none"
            """ + "\n"

    /// The defaults as changed by the files that exist: the system's first, then the user's.
    ///
    /// - Returns: the configuration and warnings, such as unknown keys: an upgrade never stops the queue.
    /// - Throws: ``BelfryError`` `invalid_configuration` with file, line and column.
    static func load(_ places: Places) throws -> (configuration: Configuration, warnings: [String]) {
        var configuration = Configuration()
        var warnings: [String] = []
        for path in places.systemConfigFiles.reversed() + [places.configFile] {
            guard let text = try read(path) else { continue }
            warnings += try configuration.apply(text, file: path)
        }
        return (configuration, warnings)
    }

    /// The text of a file, nil when there is none. One that is there and cannot be read is not passed
    /// over: its settings would silently not hold.
    private static func read(_ path: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        if let text = try? String(contentsOfFile: path, encoding: .utf8) { return text }
        throw BelfryError(
            .invalidConfiguration,
            "\(path) cannot be read as text in UTF-8.",
            fix: "Make it a readable file, or move it away."
        )
    }

    /// - Returns: warnings.
    mutating func apply(_ text: String, file: String) throws -> [String] {
        let table: TOMLTable
        do { table = try TOMLTable(string: text) } catch let error as TOMLParseError {
            throw BelfryError(
                .invalidConfiguration,
                "\(file):\(error.source.begin.line):\(error.source.begin.column): \(error.description)",
                fix: "Mend that line, or compare with: belfryd --print-config"
            )
        }
        var reader = ConfigurationReader(file: file, table: table)
        try read(&reader)
        try readQueue(&reader)
        try readDesktop(&reader)
        return reader.unknownKeys()
    }

    private mutating func read(_ reader: inout ConfigurationReader) throws {
        if let name = try reader.string("hub.log_level") {
            guard let level = Logger.Level(rawValue: name) else {
                let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                throw reader.error("hub.log_level", "must be one of: \(levels)")
            }
            logLevel = level
        }
        if let minutes = try reader.number("hub.idle_minutes", 0...525_600) {
            idleTime = .seconds(minutes * 60)
        }
        if let count = try reader.int("worker.concurrency", 0...1024), count > 0 { concurrency = Int(count) }
        if let seconds = try reader.int("worker.drain_seconds", 0...3600) { drainTime = .seconds(seconds) }
        if let directories = try reader.strings("plugins.directories") { pluginDirectories = directories }
        for id in try reader.names(of: "plugins") where id != "directories" {
            pluginSettings[id] = try reader.object("plugins.\(id)")
        }
        if let variables = try reader.table("environment") { environment = variables }
        secrets.merge(try reader.secrets("secrets"))
        if let flag = try reader.bool("sinks.file.enabled") { isFileSinkEnabled = flag }
        if let path = try reader.string("sinks.file.path"), !path.isEmpty {
            guard path.hasPrefix("/") else {
                throw reader.error("sinks.file.path", "must be an absolute path")
            }
            eventLogPath = path
        }
        if let size = try reader.int("sinks.file.rotate_mb", 1...1_048_576) { rotateBytes = size << 20 }
        if let days = try reader.int("sinks.file.rotate_days", 1...36_500) {
            rotateAge = .seconds(days * 86_400)
        }
        if let count = try reader.int("sinks.file.keep", 0...10_000) { keepFiles = Int(count) }
        if let flag = try reader.bool("sinks.file.compress") { compressFiles = flag }
        if let flag = try reader.bool("sinks.file.sync") { syncsFile = flag }
    }
}

/// Reads keys of a TOML table by dotted path and remembers which ones were asked for.
struct ConfigurationReader {
    let file: String
    let table: TOMLTable
    /// What stands before every key in messages: the place of this table in a list.
    private let place: String
    private var known: Set<String> = []
    private var warnings: [String] = []

    init(file: String, table: TOMLTable, place: String = "") {
        self.file = file
        self.table = table
        self.place = place
    }

    /// Reads each table of a list, such as `[[sinks.desktop.rules]]`.
    mutating func tables(_ key: String, _ read: (inout ConfigurationReader) throws -> Void) throws {
        let tables = try value(key, "a list of tables") { value in
            value.array.flatMap { list in
                let tables = list.compactMap(\.table)
                return tables.count == list.count ? tables : nil
            }
        }
        for (index, table) in (tables ?? []).enumerated() {
            var reader = ConfigurationReader(file: file, table: table, place: "\(key)[\(index + 1)].")
            try read(&reader)
            warnings += reader.unknownKeys()
        }
    }

    mutating func string(_ key: String) throws -> String? { try value(key, "a string", \.string) }
    mutating func bool(_ key: String) throws -> Bool? { try value(key, "true or false", \.bool) }

    mutating func strings(_ key: String) throws -> [String]? {
        try value(key, "a list of strings") { value in
            guard let array = value.array else { return nil }
            let strings = array.compactMap(\.string)
            return strings.count == array.count ? strings : nil
        }
    }

    /// A table whose values are all strings.
    mutating func table(_ key: String) throws -> [String: String]? {
        let table = try value(key, "a table", \.table)
        return try table.map { table in
            var members: [String: String] = [:]
            for name in table.keys { members[name] = try string("\(key).\(name)") }
            return members
        }
    }

    /// A table whose values are secrets: strings, or `{ file = "…" }`. No message has a value in it.
    mutating func secrets(_ key: String) throws -> PluginSecrets {
        var sources: [String: PluginSecrets.Source] = [:]
        for name in try names(of: key) {
            let path = "\(key).\(name)"
            let isText = try value(path, "a string or { file = \"…\" }") {
                $0.string != nil || $0.table != nil ? $0 : nil
            }
            if let text = isText?.string {
                sources[name] = .literal(text)
            } else if let file = try string("\(path).file"), file.hasPrefix("/") {
                sources[name] = .file(file)
            } else {
                throw error("\(path).file", "must be an absolute path")
            }
        }
        return PluginSecrets(sources)
    }

    /// The keys of a table, whatever its values are.
    mutating func names(of key: String) throws -> [String] {
        try value(key, "a table", \.table)?.keys.sorted() ?? []
    }

    mutating func int(_ key: String, _ range: ClosedRange<Int64>) throws -> Int64? {
        guard let number = try value(key, "a whole number", { $0.int.map(Int64.init) }) else { return nil }
        guard range.contains(number) else {
            throw error(key, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    /// A number, whole or not.
    mutating func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double? {
        let number = try value(key, "a number") { $0.double ?? $0.int.map { Double($0) } }
        guard let number, !range.contains(number) else { return number }
        throw error(key, "must be from \(Int(range.lowerBound)) to \(Int(range.upperBound))")
    }

    mutating func value<Value>(
        _ key: String,
        _ expected: String,
        _ read: (any TOMLValueConvertible) -> Value?
    ) throws -> Value? {
        known.insert(key)
        var node: any TOMLValueConvertible = table
        for part in key.split(separator: ".") {
            guard let next = node.table?[String(part)] else { return nil }
            node = next
        }
        guard let value = read(node) else { throw error(key, "must be \(expected)") }
        return value
    }

    /// A key with its file, as errors begin.
    func place(of key: String) -> String { "\(file): '\(place)\(key)'" }

    func error(_ key: String, _ rule: String) -> BelfryError {
        BelfryError(
            .invalidConfiguration,
            "\(place(of: key)) \(rule).",
            fix: "Mend it, or compare with: belfryd --print-config"
        )
    }

    func unknownKeys() -> [String] {
        var warnings = warnings
        func visit(_ table: TOMLTable, _ prefix: String) {
            for key in table.keys.sorted() {
                let path = prefix + key
                if let inner = table[key]?.table, known.contains(where: { $0.hasPrefix(path + ".") }) {
                    visit(inner, path + ".")
                } else if !known.contains(path) {
                    let hint =
                        NameSuggestion.closest(to: path, among: known).map { "; did you mean '\($0)'?" } ?? ""
                    warnings.append("\(file): unknown key '\(place)\(path)'\(hint)")
                }
            }
        }
        visit(table, "")
        return warnings
    }
}
