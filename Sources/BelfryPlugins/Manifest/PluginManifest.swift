// What a plugin says about itself. Everything that runs a plugin starts from these values and never
// reads plugin.json again, so that what was checked is what is run.

public import BelfryCore

/// A plugin's `plugin.json`, read and checked.
///
/// The file's keys are snake_case; Docs/WritingAPlugin.md lists them with their defaults.
public struct PluginManifest: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Does the work of tasks.
        case feature
        /// Hears events.
        case observer
    }

    /// How the plugin's program is started and spoken to.
    public struct Runner: Sendable, Hashable {
        /// The protocol between the hub and the program.
        public enum Wire: String, Sendable, CaseIterable {
            /// One process for each task: params on stdin, JSON lines on stdout.
            case exec = "exec/1"
            /// A server that stays and speaks MCP over stdio.
            case mcp
            /// A process that stays, gets event lines and acknowledges them.
            case observer = "observer/1"
        }

        public var wire: Wire
        /// As written: may hold `${plugin_dir}`. See ``InstalledPlugin/executable``.
        public var command: String
        /// As written. Defaults to none.
        public var arguments: [String]
        /// As written; added to the environment that every plugin gets. Defaults to nothing.
        public var environment: [String: String]
        /// Variables that the plugin asks for by name: secrets and settings that only it is handed.
        /// Defaults to none.
        public var passedVariables: [String]
        /// Where a program that stays runs; as written, may start with `${plugin_dir}`. Defaults to the plugin's
        /// directory.
        public var workingDirectory: String?
        /// How long a server that nobody wants stays; nil for ever. Defaults to 5 minutes.
        public var idleStop: Duration? = .seconds(300)
        /// Whether a tool that is cancelled is known to stop, so that its server need not be ended. Defaults to
        /// false.
        public var stopsWhenCancelled = false

        public init(
            wire: Wire,
            command: String,
            arguments: [String] = [],
            environment: [String: String] = [:],
            passedVariables: [String] = []
        ) {
            self.wire = wire
            self.command = command
            self.arguments = arguments
            self.environment = environment
            self.passedVariables = passedVariables
        }
    }

    /// One feature that the plugin serves.
    public struct FeatureEntry: Sendable, Hashable {
        public var id: String
        /// What an MCP server calls it. Defaults to the id, without the plugin's before a `/`.
        public var tool: String?
        /// For people. Defaults to the id.
        public var title: String
        public var summary = ""
        /// A schema that ``JSONSchema`` takes. Defaults to any object.
        public var paramsSchema: JSONValue = ["type": "object"]
        /// The attempt fails when it says nothing for so long. Defaults to no limit.
        public var idleTimeout: Duration?
        /// The attempt fails when it takes longer. Defaults to no limit.
        public var totalTimeout: Duration?
        /// Defaults to one attempt.
        public var retry = RetryPolicy.never
        /// Defaults to rerun.
        public var onInterrupt = InterruptPolicy.rerun
        /// Attempts at once, at least 1. Defaults to what the plugin's limits say.
        public var concurrency: Int?
        /// What each attempt occupies. Defaults to one slot.
        public var needs = TaskNeeds()
        /// Whether attempts get an output directory. Defaults to true.
        public var makesFiles = true
        public var examples: [Example] = []

        public init(id: String, title: String? = nil) {
            self.id = id
            self.title = title ?? id
        }
    }

    /// Parameters that show what a feature can do.
    public struct Example: Sendable, Hashable {
        public var title: String
        public var params: JSONValue

        public init(title: String, params: JSONValue) {
            self.title = title
            self.params = params
        }
    }

    /// What the plugin's processes may use.
    public struct Limits: Sendable, Hashable {
        /// Attempts of the whole plugin at once, at least 1. Defaults to no limit.
        public var concurrency: Int?
        /// Memory of one process tree in MiB. Defaults to no limit.
        public var memoryMB: Int?
        /// Address space of one process in MiB. Breaks CUDA, Java and wasm. Defaults to no limit.
        public var addressSpaceMB: Int?
        /// The longest line that is read from the program, in bytes. Defaults to 1 MiB, for `mcp` to 16 MiB.
        public var maxLineBytes = 1 << 20
        /// From being asked to stop to being killed. Defaults to 5 seconds.
        public var cancelGrace = Duration.seconds(5)

        public init() {}
    }

    /// What must be there for the plugin to run.
    public struct Requirements: Sendable, Hashable {
        /// Defaults to any version.
        public var belfry: VersionRange?
        /// Programs that must be found on the search path. Defaults to none.
        public var executables: [String] = []
        /// Python modules that must be there: in the plugin's own environment when it has one, else in the
        /// system's. Defaults to none.
        public var pythonModules: [String] = []
        /// Machines that it runs on, such as `x86_64`. Defaults to any.
        public var architectures: [String] = []

        public init() {}
    }

    /// How often the plugin may crash before it is set aside.
    public struct Restart: Sendable, Hashable {
        /// Crashes within the window. Defaults to 3.
        public var max = 3
        /// Defaults to 60 seconds.
        public var window = Duration.seconds(60)

        public init() {}
    }

    /// The version of the manifest's format that this program reads.
    public static let formatVersion: Int64 = 1
    public static let fileName = "plugin.json"

    /// Lower-case letters, digits, `-`, `_` and `.`; at most 64 bytes.
    public var id: String
    public var version: PluginVersion
    /// For people. Defaults to the id.
    public var name: String
    public var summary = ""
    public var kind: Kind
    public var runner: Runner
    public var requires = Requirements()
    /// At least one for the kind `feature`, none for `observer`. An `mcp` server may name none: its
    /// tools are its features.
    public var features: [FeatureEntry]
    public var limits = Limits()
    public var restart = Restart()
    /// What an observer hears. Means nothing for the kind `feature`.
    public var observation = Observation()
    /// A schema that ``JSONSchema`` takes, for what the user sets for this plugin. Defaults to nil: any object.
    public var settingsSchema: JSONValue?
    /// The Python environment that the plugin wants. Defaults to none.
    public var venv: VenvSetup?
    /// Names of secrets in the configuration that it is handed. Defaults to none.
    public var secrets: [String] = []
    /// What is odd but does not stop the plugin, such as unknown keys: sentences for people.
    public var warnings: [String] = []

    public init(
        id: String,
        version: PluginVersion,
        kind: Kind = .feature,
        runner: Runner,
        features: [FeatureEntry] = []
    ) {
        self.id = id
        self.version = version
        name = id
        self.kind = kind
        self.runner = runner
        self.features = features
    }

    /// Reads and checks `plugin.json` in `directory`.
    ///
    /// - Throws: ``BelfryError`` `invalid_plugin` for the first mistake, naming the file, the place
    ///   in it (a JSON pointer) and what to write instead. ``inspect(directory:)`` tells all.
    public static func load(directory: String) throws -> PluginManifest {
        let inspection = inspect(directory: directory)
        if let mistake = inspection.mistakes.first { throw mistake }
        guard let manifest = inspection.manifest else {
            throw BelfryError(.invalidPlugin, "\(directory) holds no plugin.")
        }
        return manifest
    }

    /// The feature `entry` as the hub describes it.
    public func descriptor(of entry: FeatureEntry) -> FeatureDescriptor {
        var descriptor = FeatureDescriptor(id: entry.id, title: entry.title, summary: entry.summary)
        descriptor.paramsSchema = entry.paramsSchema
        descriptor.pluginID = id
        descriptor.retry = entry.retry
        descriptor.onInterrupt = entry.onInterrupt
        descriptor.concurrency = entry.concurrency ?? limits.concurrency
        descriptor.needs = entry.needs
        descriptor.timeouts = TaskTimeouts(attempt: entry.totalTimeout, idle: entry.idleTimeout)
        descriptor.makesFiles = entry.makesFiles
        return descriptor
    }
}
