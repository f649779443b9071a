// A manifest bound to where it lies: the one place where `${plugin_dir}` and the command become
// paths, so that a process is started from absolute names only.

/// A plugin in a directory, ready to be started.
public struct InstalledPlugin: Sendable, Hashable {
    public enum Source: String, Sendable {
        /// Came with Belfry.
        case bundled
        /// Installed for every user of the machine.
        case system
        /// Installed by this user.
        case user
    }

    public var manifest: PluginManifest
    /// Absolute, without links.
    public var directory: String
    /// The program to start, as an absolute path.
    public var executable: String
    /// With `${plugin_dir}` replaced.
    public var arguments: [String]
    /// With `${plugin_dir}` replaced, and the variables of ``venv``.
    public var environment: [String: String]
    /// The directory of its Python environment, when it has one.
    public var venv: String?
    /// A word that is another one whenever the plugin's files are others: what serves another revision is to
    /// drain. Empty when nobody looked.
    public var revision = ""
    /// What its files are held against before each of its processes is started; nil when it has no pins.
    var pins: PinnedFiles?
    /// Where a process that stays runs: an absolute path.
    public var workingDirectory: String
    /// Whether the plugin lies at its author's and is used in place.
    public var isLinked: Bool
    public var source: Source

    public init(
        manifest: PluginManifest,
        directory: String,
        executable: String,
        arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        isLinked: Bool = false,
        source: Source = .user
    ) {
        self.manifest = manifest
        self.directory = directory
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory ?? directory
        self.isLinked = isLinked
        self.source = source
    }

    /// Holds the files of a pinned plugin against its pins, as every start of one of its processes does.
    ///
    /// - Throws: ``TaskFailure`` `plugin_changed` when they are others.
    public func checkPins() throws { try pins?.check() }
}
