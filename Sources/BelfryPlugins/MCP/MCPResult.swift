// What a tool's answer makes of a task: its value, its files, or its failure.

import BelfryCore
import FoundationEssentials
import Glibc

/// The result of one `tools/call`.
struct MCPResult {
    let result: JSONValue
    /// Where files of the attempt belong; empty when it makes none.
    let outputDirectory: String
    /// Told of what is said wrongly, as a sentence. Defaults to nobody.
    var onRemark: (String) -> Void = { _ in }

    /// - Throws: ``TaskFailure`` `tool_error`, `unsupported`, `bad_artifact` or the server's own; ``TaskSnooze``.
    func taskResult() throws -> TaskResult {
        if result["resultType"]?.string == "input_required" {
            throw TaskFailure(
                "unsupported",
                "The tool asks for input while it runs, which a task in the background cannot give.",
                fix: "Give it everything it needs as parameters, or use another tool."
            )
        }
        guard result["content"]?.array != nil || result["structuredContent"] != nil else {
            throw TaskFailure("protocol_error", "The server's answer holds no result of a tool.")
        }
        let content = result["content"]?.array ?? []
        let text = content.compactMap(Self.text).joined(separator: "\n")
        if result["isError"]?.bool == true { throw failure(text) }
        var artifacts: [TaskResult.Artifact] = []
        var links: [JSONValue] = []
        for block in content {
            if let artifact = try artifact(block) {
                artifacts.append(artifact)
            } else if block["type"]?.string == "resource_link" {
                links.append(Self.link(block))
            }
        }
        return TaskResult(value: value(text, links), artifacts: artifacts)
    }

    private func value(_ text: String, _ links: [JSONValue]) -> JSONValue? {
        if let structured = result["structuredContent"], !structured.isNull { return structured }
        var value = JSONObject()
        if !text.isEmpty { value["text"] = .string(text) }
        if !links.isEmpty { value["links"] = .array(links) }
        return value.isEmpty ? nil : .object(value)
    }

    private static func text(_ block: JSONValue) -> String? {
        switch block["type"]?.string {
        case "text": block["text"]?.string
        case "resource": block["resource"]?["text"]?.string
        default: nil
        }
    }

    private static func link(_ block: JSONValue) -> JSONValue {
        var link = JSONObject()
        for key in ["uri", "name", "title", "mimeType"] { link.set(key, block[key]) }
        return .object(link)
    }

    /// The file that a block is, or nil when it is none of this attempt's.
    private func artifact(_ block: JSONValue) throws -> TaskResult.Artifact? {
        switch block["type"]?.string {
        case "image", "audio": return try saved(block["data"], block["mimeType"]?.string)
        case "resource": return try saved(block["resource"]?["blob"], block["resource"]?["mimeType"]?.string)
        case "resource_link":
            guard let path = block["uri"]?.string.flatMap(FileURI.path), isInside(path) else { return nil }
            return try ArtifactCheck.checked(
                ExecLine.Artifact(path: path, mime: block["mimeType"]?.string),
                in: outputDirectory
            )
        default: return nil
        }
    }

    private func isInside(_ path: String) -> Bool {
        guard let root = FileSystem.real(outputDirectory), let real = FileSystem.real(path) else {
            return false
        }
        return real.hasPrefix(root + "/")
    }

    /// Writes what came within the answer into a file.
    private func saved(_ data: JSONValue?, _ mime: String?) throws -> TaskResult.Artifact? {
        guard let text = data?.string, !outputDirectory.isEmpty else { return nil }
        guard let bytes = Data(base64Encoded: text) else {
            throw TaskFailure("bad_artifact", "The tool's answer holds a file that is not base64.")
        }
        let kind = mime?.split(separator: "/").first.map(String.init) ?? "file"
        let name = try write(Array(bytes), kind == "application" ? "file" : kind, Self.suffix(mime))
        return try ArtifactCheck.checked(ExecLine.Artifact(path: name, mime: mime), in: outputDirectory)
    }

    /// - Returns: the name of the first of `image.png`, `image-2.png` … that was free.
    private func write(_ bytes: [UInt8], _ stem: String, _ suffix: String) throws -> String {
        for number in 1...10_000 {
            let name = (number == 1 ? stem : "\(stem)-\(number)") + suffix
            let path = "\(outputDirectory)/\(name)"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o644)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { break }
            defer { close(descriptor) }
            do throws(FileError) { try FileSystem.write(bytes, to: descriptor) } catch {
                throw TaskFailure("bad_artifact", "\(path) \(error.reason).", fix: "Make room on the disk.")
            }
            return name
        }
        throw TaskFailure("bad_artifact", "No file can be made in \(outputDirectory).")
    }

    private static let suffixes = [
        "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif",
        "image/svg+xml": ".svg", "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/mpeg": ".mp3",
        "audio/ogg": ".ogg", "audio/flac": ".flac", "application/pdf": ".pdf", "application/json": ".json",
        "application/zip": ".zip", "text/plain": ".txt", "video/mp4": ".mp4",
    ]

    private static func suffix(_ mime: String?) -> String { mime.flatMap { suffixes[$0.lowercased()] } ?? "" }
}
