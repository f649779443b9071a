// Paths in parameters: made absolute while it is known where the submitter stands, and looked at
// before the task is accepted, because a mistyped name is best told at once.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

enum PathCheck {
    /// `path` from the root: `~/` is home, anything relative starts from `directory`.
    static func absolute(_ path: String, from directory: String?, home: String?) -> String {
        if path.isEmpty || path.hasPrefix("/") { return path }
        if path == "~" || path.hasPrefix("~/") {
            guard let home else { return path }
            return joined(home, String(path.dropFirst(2)))
        }
        guard let directory else { return path }
        return joined(directory, path)
    }

    private static func joined(_ directory: String, _ path: String) -> String {
        var rest = Substring(path)
        while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
        if rest.isEmpty || rest == "." { return directory }
        return directory.hasSuffix("/") ? directory + rest : "\(directory)/\(rest)"
    }

    static var home: String? {
        getenv("HOME").map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }

    /// What is wrong with a path, as a sentence without its subject; nil when nothing is.
    static func complaint(about path: String, _ format: PathFormat) -> String? {
        if path.isEmpty { return "must be a path; it is empty" }
        guard path.hasPrefix("/") else {
            return "must be an absolute path, because the submitter's directory is not known; got \(path)"
        }
        if path.utf8.contains(0) { return "must be a path; it holds a zero byte" }
        return format == .path ? nil : complaint(aboutExisting: path, format)
    }

    private static func complaint(aboutExisting path: String, _ format: PathFormat) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return errno == ENOENT || errno == ENOTDIR
                ? "names a \(format.rawValue) that does not exist: \(path)"
                : "names a \(format.rawValue) that cannot be read (\(String(cString: strerror(errno)))): \(path)"
        }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        if format == .file, isDirectory { return "names a directory, not a file: \(path)" }
        if format == .directory, !isDirectory { return "names a file, not a directory: \(path)" }
        guard access(path, R_OK) == 0 else {
            return
                "names a \(format.rawValue) that cannot be read (\(String(cString: strerror(errno)))): \(path)"
        }
        return nil
    }
}
