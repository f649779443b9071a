// Files for one test.

import Glibc

/// A folder of its own, removed with the folders and files that were made through it.
final class TemporaryFolder {
    let path: String
    private var made: [String] = []

    init() {
        var template = Array("/tmp/belfry-pieces-XXXXXX".utf8CString)
        precondition(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        for path in made.reversed() + [path] { remove(path) }
    }

    /// Writes a file, with the folders on its way; returns its path.
    @discardableResult
    func write(_ bytes: some Sequence<UInt8>, to name: String) -> String {
        var folder = path
        for part in name.split(separator: "/").dropLast() {
            folder += "/\(part)"
            if mkdir(folder, 0o700) == 0 { made.append(folder) }
        }
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0)
        defer { close(descriptor) }
        let bytes = Array(bytes)
        precondition(
            bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
        )
        if !made.contains(file) { made.append(file) }
        return file
    }

    /// A path for something that the test makes itself.
    func place(_ name: String) -> String {
        made.append("\(path)/\(name)")
        return "\(path)/\(name)"
    }
}
