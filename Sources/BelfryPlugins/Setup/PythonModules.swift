// Whether a Python module is there, found as Python finds it, but without starting it.

struct PythonModules {
    /// Directories that are searched.
    let directories: [String]

    /// - Parameters:
    ///   - venv: the plugin's environment. It sees nothing outside of itself.
    ///   - roots: `lib` directories of Pythons outside of an environment.
    init(venv: String?, roots: [String] = ["/usr/local/lib", "/usr/lib"]) {
        if let venv {
            directories = Self.pythons(in: "\(venv)/lib").map { "\($0)/site-packages" }
        } else {
            directories =
                roots.flatMap { root in
                    Self.pythons(in: root).flatMap { [$0, "\($0)/dist-packages", "\($0)/site-packages"] }
                } + roots.map { "\($0)/python3/dist-packages" }
        }
    }

    private static func pythons(in directory: String) -> [String] {
        FileSystem.names(in: directory).filter { $0.hasPrefix("python3.") }.map { "\(directory)/\($0)" }
    }

    func contains(_ module: String) -> Bool {
        directories.contains { directory in
            if FileSystem.entry("\(directory)/\(module)", following: true)?.kind == .directory { return true }
            if FileSystem.entry("\(directory)/\(module).py", following: true) != nil { return true }
            return FileSystem.names(in: directory).contains {
                $0.hasPrefix(module + ".") && $0.hasSuffix(".so")
            }
        }
    }

    /// Debian packages whose names do not follow from the module's.
    private static let packages = [
        "cv2": "python3-opencv", "PIL": "python3-pil", "Crypto": "python3-pycryptodome",
        "Xlib": "python3-xlib",
    ]

    /// Modules whose Debian package is `python3-` and their name: only a package that is known to exist is advised.
    private static let packaged: Set<String> = [
        "aiohttp", "boto3", "bs4", "cairo", "click", "cryptography", "dateutil", "dbus", "docx", "evdev",
        "feedparser", "flask", "gi", "git", "gnupg", "gphoto2", "httpx", "imageio", "jinja2", "jsonschema",
        "lxml", "magic", "markdown", "matplotlib", "msgpack", "mutagen", "networkx", "nltk", "numpy",
        "openpyxl", "pandas", "paramiko", "psutil", "psycopg2", "pydantic", "pydub", "pymysql", "pypdf",
        "pyproj", "redis", "reportlab", "requests", "rich", "scipy", "serial", "shapely", "skimage",
        "sklearn", "soundfile", "sympy", "toml", "torch", "tqdm", "usb", "vobject", "websockets", "yaml",
        "zmq",
    ]

    static func missing(_ module: String, id: String, hasVenv: Bool) -> PluginSnapshot.Problem {
        let package = packages[module] ?? (packaged.contains(module) ? "python3-\(module)" : nil)
        let fix =
            if hasVenv {
                "Name it in the plugin's requirements, then run: belfry plugin setup \(id)"
            } else if let package {
                "Install \(package): sudo apt-get install \(package)"
            } else {
                "Install it for the system's Python, or give the plugin an environment of its own: a requirements "
                    + "file, and \"setup\": {\"venv\": \"requirements.txt\"} in its plugin.json."
            }
        return PluginSnapshot.Problem("the Python module '\(module)' is not installed", fix: fix)
    }
}
