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
        "cv2": "python3-opencv", "PIL": "python3-pil", "yaml": "python3-yaml", "bs4": "python3-bs4",
        "skimage": "python3-skimage", "sklearn": "python3-sklearn", "gi": "python3-gi",
        "cairo": "python3-cairo",
        "dateutil": "python3-dateutil", "Crypto": "python3-pycryptodome", "serial": "python3-serial",
    ]

    static func missing(_ module: String, id: String, hasVenv: Bool) -> PluginSnapshot.Problem {
        let package = packages[module] ?? "python3-\(module.lowercased())"
        return PluginSnapshot.Problem(
            "the Python module '\(module)' is not installed",
            fix: hasVenv
                ? "Name it in the plugin's requirements, then run: belfry plugin setup \(id)"
                : "Install \(package): sudo apt-get install \(package)"
        )
    }
}
