// Finds a plugin's program when the plugin is registered, not when a task is due: the PATH of a
// service is not the PATH of a shell, and the error should come while somebody looks.

public import BelfryCore

extension InstalledPlugin {
    /// Binds a manifest to its directory.
    ///
    /// `${plugin_dir}` becomes the directory. A command with a slash is taken from the plugin's
    /// directory, one without is looked for on `searchPath`.
    ///
    /// - Parameters:
    ///   - directory: absolute.
    ///   - searchPath: directories with `:` between them.
    ///   - venv: the directory of the plugin's Python environment. Its programs come before all others.
    ///   - settings: what the user says in the configuration; it reaches the program in its environment.
    /// - Throws: ``BelfryError`` `feature_unavailable` that names what is missing, where it was looked
    ///   for, and how to get it.
    public init(
        binding manifest: PluginManifest,
        directory: String,
        searchPath: String,
        venv: String? = nil,
        isLinked: Bool = false,
        source: Source = .user,
        settings: JSONObject = [:]
    ) throws {
        let directory = FileSystem.real(directory) ?? directory
        var environment = manifest.runner.environment.mapValues {
            PluginTemplate.expanded($0, directory: directory)
        }
        environment.merge(ExecEnvironment.ofSettings(settings)) { _, setting in setting }
        // What Python leaves beside its sources would be files that nobody pinned.
        environment["PYTHONDONTWRITEBYTECODE"] = environment["PYTHONDONTWRITEBYTECODE"] ?? "1"
        var searchPath = searchPath
        if let venv {
            let variables = PluginVenv.variables(venv, searchPath: environment["PATH"] ?? searchPath)
            environment.merge(variables) { _, new in new }
            searchPath = "\(venv)/bin:\(searchPath)"
        }
        let command = PluginTemplate.expanded(manifest.runner.command, directory: directory)
        self.init(
            manifest: manifest,
            directory: directory,
            executable: try Self.executable(command, directory: directory, searchPath: searchPath),
            arguments: manifest.runner.arguments.map { PluginTemplate.expanded($0, directory: directory) },
            environment: environment,
            workingDirectory: manifest.runner.workingDirectory.map {
                PluginTemplate.expanded($0, directory: directory)
            },
            isLinked: isLinked,
            source: source
        )
        self.venv = venv
    }

    private static func executable(_ command: String, directory: String, searchPath: String) throws -> String
    {
        guard command.contains("/") else {
            if let found = ProgramSearch.find(command, on: searchPath) { return found }
            throw ProgramSearch.missing(command, on: searchPath)
        }
        let path = command.hasPrefix("/") ? command : "\(directory)/\(command)"
        if FileSystem.isExecutable(path) { return path }
        if FileSystem.entry(path, following: true) == nil {
            throw BelfryError(
                .featureUnavailable,
                "its program is not there: \(path)",
                fix: "Build or install the plugin again, so that this file is there."
            )
        }
        throw BelfryError(
            .featureUnavailable,
            "its program is not an executable file: \(path)",
            fix: "Run: chmod +x \(path)"
        )
    }
}

/// Programs by name.
enum ProgramSearch {
    /// The first executable file called `name` in the directories of `searchPath`; relative ones are skipped.
    static func find(_ name: String, on searchPath: String) -> String? {
        searchPath.split(separator: ":").lazy.filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
            .first(where: FileSystem.isExecutable)
    }

    static func missing(_ name: String, on searchPath: String) -> BelfryError {
        BelfryError(
            .featureUnavailable,
            "the program '\(name)' is on none of the directories of \(searchPath)",
            fix: advice(for: name)
        )
    }

    private static func advice(for name: String) -> String {
        guard let package = packages[name] else {
            return "Install '\(name)', or add its directory to the hub's PATH."
        }
        return "Install \(package): sudo apt-get install \(package)"
    }

    /// Debian packages of programs that plugins are likely to want.
    private static let packages: [String: String] = [
        "python3": "python3", "python": "python-is-python3", "ffmpeg": "ffmpeg", "ffprobe": "ffmpeg",
        "convert": "imagemagick", "magick": "imagemagick", "identify": "imagemagick", "node": "nodejs",
        "npm": "npm",
        "npx": "npm", "pipx": "pipx", "vips": "libvips-tools", "vipsthumbnail": "libvips-tools",
        "exiftool": "libimage-exiftool-perl", "gs": "ghostscript", "pdftoppm": "poppler-utils",
        "pdftotext": "poppler-utils", "inkscape": "inkscape", "sox": "sox", "rsvg-convert": "librsvg2-bin",
        "cwebp": "webp", "jq": "jq", "git": "git", "curl": "curl", "wget": "wget", "java": "default-jre",
        "ruby": "ruby", "perl": "perl", "yt-dlp": "yt-dlp", "tesseract": "tesseract-ocr", "gimp": "gimp",
        "blender": "blender", "zip": "zip", "unzip": "unzip", "rsync": "rsync", "optipng": "optipng",
        "jpegoptim": "jpegoptim", "gifsicle": "gifsicle", "pandoc": "pandoc", "flac": "flac", "lame": "lame",
    ]
}
