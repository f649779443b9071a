// What a task left, for a model: values and paths; texts that are short; pictures that are small, when asked for. Large
// ones as base64 have ended many a conversation.

import BelfryAPI
import BelfryCore
import BelfryMCP
import Glibc

extension HubTools {
    func result(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let answer = try session.ask("GET", try arguments.taskPath())
        let task = try BackgroundTask(json: answer)
        guard task.status.isFinal else {
            throw BelfryError(
                .notAllowedNow,
                "#\(task.number) is \(task.status.rawValue) and has no result yet.",
                fix: "Call wait."
            )
        }
        return TaskFilesView.result(of: answer, withPictures: arguments["pictures"]?.bool ?? false)
    }

    func log(_ arguments: ToolArguments, _ session: Session) throws -> MCPToolResult {
        let path = try arguments.taskPath() + "/log"
        let count = Int(arguments.int("lines") ?? 50)
        let bytes: [UInt8]
        do { bytes = try session.client.open("GET", path).readAll() } catch let error as BelfryError
            where error.code == .noHub
        {
            bytes = try OfflineHub(session: session).answer("GET", path)
        }
        let lines = bytes.suffix(TaskFilesView.longestLog).split(
            separator: 0x0A,
            omittingEmptySubsequences: false
        )
        let isEnded = bytes.last == 0x0A
        let tail = (isEnded ? lines.dropLast() : lines).suffix(count)
        let text = tail.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
        return MCPToolResult(content: [MCPToolResult.text(bytes.isEmpty ? "(nothing was printed)" : text)])
    }
}

enum TaskFilesView {
    /// What of a log is looked at, in bytes.
    static let longestLog = 64 << 10
    /// The largest text that is shown whole, in bytes.
    static let longestText = 16 << 10
    /// The largest picture that is shown, in bytes.
    static let largestPicture = 1 << 20

    static func paths(of task: JSONValue) -> [String] { artifacts(of: task).map(\.path) }

    private static func artifacts(of task: JSONValue) -> [(path: String, mime: String?)] {
        (task["result"]?["artifacts"]?.array ?? []).compactMap { artifact in
            artifact["uri"]?.string.map { (FileURI.path($0) ?? $0, artifact["mime"]?.string) }
        }
    }

    static func result(of task: JSONValue, withPictures: Bool = false) -> MCPToolResult {
        var object: JSONObject = ["done": true]
        for (key, value) in TaskView.full(task) { object[key] = value }
        object.set("value", task["result"]?["value"])
        var texts = JSONObject()
        var pictures: [JSONValue] = []
        for (path, mime) in artifacts(of: task) {
            if isText(mime), let bytes = read(path, upTo: longestText) {
                texts[path] = .string(String(decoding: bytes, as: UTF8.self))
            } else if withPictures, let mime, mime.hasPrefix("image/"),
                let bytes = read(path, upTo: largestPicture)
            {
                pictures.append([
                    "type": "image", "data": .string(Base64.encode(bytes)), "mimeType": .string(mime),
                ])
            }
        }
        if !texts.isEmpty { object["texts"] = .object(texts) }
        var result = MCPToolResult.object(object)
        result.content += pictures
        result.isError = task["status"] == "failed"
        return result
    }

    private static func isText(_ mime: String?) -> Bool {
        guard let mime else { return false }
        return mime.hasPrefix("text/") || mime == "application/json"
    }

    /// - Returns: nil when it is larger, gone, or no regular file.
    private static func read(_ path: String, upTo limit: Int) -> [UInt8]? {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= limit else {
            return nil
        }
        return try? FileBytes.read(path)
    }
}

/// RFC 4648, section 4.
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let digit = digits[Int(bits >> UInt32(18 - 6 * place) & 63)]
                text.append(place <= group.count ? digit : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
