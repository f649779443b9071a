// How commands reach the hub: those that submit start it, those that only read are answered
// from the store by `belfryd answer` when none runs.

import BelfryAPI
import BelfryCore
import BelfryStdoutSink
import Glibc

/// One command's way to the hub.
struct Session {
    let environment: [String: String]
    /// The variables that are not in ``environment``, because their values are not UTF-8.
    private let leftOut: [String]
    let places: Places
    let client: HubClient

    init() {
        (environment, leftOut) = Self.readEnvironment()
        places = Places(environment: environment)
        client = HubClient(socketPath: places.socket)
    }

    private static func readEnvironment() -> (variables: [String: String], leftOut: [String]) {
        var (variables, leftOut): ([String: String], [String]) = ([:], [])
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                let name = String(text[..<equals])
                if String(validatingCString: entry) == nil {
                    leftOut.append(name)
                } else {
                    variables[name] = String(text[text.index(after: equals)...])
                }
            }
            pointer += 1
        }
        return (variables, leftOut)
    }

    /// Sends a submission, starting the hub if none runs or the one that runs is on its way out.
    ///
    /// A hub that ends in the middle of its answer may have accepted it: it is sent again all the same. Tasks
    /// carry ids of the client's making, so that they are there once; other changes are the same twice.
    func submit(_ method: String, _ path: String, body: JSONValue) throws -> (
        answer: JSONValue, cursor: EventCursor?
    ) {
        var failures = 0
        while true {
            do {
                let stream = try openUnlessEnding(method, path, body: body)
                let cursor = stream.header("belfry-cursor").flatMap { EventCursor($0) }
                return (try Self.parse(try stream.readAll()), cursor)
            } catch let error as BelfryError where error.code == .noHub {
                failures += 1
                guard failures < 5 else { throw error }
                let programs = HubStarter.programsDirectory(environment: environment)
                try HubStarter(places: places, programs: programs, environment: environment).start()
            }
        }
    }

    /// An id for a task that may have to be sent again.
    static func newTaskID() -> JSONValue { .string(IDGenerator().taskID(at: SystemWallClock().now).rawValue) }

    /// A hub that refuses because it ends closes its socket a moment later: then, or when the next
    /// one listens there, the answer is another.
    private func openUnlessEnding(_ method: String, _ path: String, body: JSONValue) throws -> HubStream {
        for _ in 0..<500 {
            do { return try client.open(method, path, body: body) } catch let error as BelfryError
                where error.code == .shuttingDown
            {
                usleep(10_000)
            }
        }
        return try client.open(method, path, body: body)
    }

    /// Asks a hub that runs, or the store when none does.
    func ask(_ method: String, _ path: String, body: JSONValue? = nil) throws -> JSONValue {
        do { return try client.send(method, path, body: body) } catch let error as BelfryError
            where error.code == .noHub
        {
            return try Self.parse(try OfflineHub(session: self).answer(method, path, body: body))
        }
    }

    /// Whether a hub answers now.
    var hasHub: Bool { (try? client.send("GET", "/v1/version")) != nil }

    static func parse(_ bytes: [UInt8]) throws -> JSONValue {
        do { return try JSONValue(parsing: bytes, limits: JSONLimits(keys: .max)) } catch {
            throw BelfryError(.internalError, "The hub's answer is not JSON: \(error)")
        }
    }

    /// The task that somebody named by number, id or `last`.
    func task(_ name: String) throws -> BackgroundTask {
        try BackgroundTask(json: try ask("GET", "/v1/tasks/\(URLText.encode(name))"))
    }

    /// Numbers, ids, `last` and ranges such as `12-20`, one by one.
    func names(_ words: [String]) throws -> [String] {
        try words.flatMap { word -> [String] in
            let ends = word.split(separator: "-")
            guard ends.count == 2, let first = Int64(ends[0]), let last = Int64(ends[1]) else {
                return [word]
            }
            guard first <= last, last - first < 10_000 else {
                throw BelfryError(
                    .invalidRequest,
                    "'\(word)' is not a range of tasks.",
                    fix: "Write it like 12-20."
                )
            }
            return (first...last).map(String.init)
        }
    }

    /// Where the caller stands. A command is run with the caller's environment; other features get
    /// the directory only, so that paths among their params mean what they mean here.
    ///
    /// - Throws: ``BelfryError`` when the directory has a name that would reach the hub as another one's.
    func context(withEnvironment: Bool) throws -> SubmissionContext {
        var buffer = [CChar](repeating: 0, count: 4096)
        let path = getcwd(&buffer, buffer.count)
        guard let directory = path.map({ String(validatingCString: $0) }) ?? "/" else {
            throw BelfryError(
                .invalidRequest,
                "The name of this directory is not UTF-8.",
                fix: "Rename it, or call belfry from another one."
            )
        }
        guard withEnvironment else { return SubmissionContext(workingDirectory: directory) }
        for name in leftOut {
            Output.note("belfry: the variable \(Terminal.visible(name)) is not UTF-8 and is left out")
        }
        let mask = umask(0)
        umask(mask)
        return SubmissionContext(workingDirectory: directory, umask: mask, environment: environment)
    }
}

enum URLText {
    /// Percent-encodes everything but unreserved characters (RFC 3986).
    static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.map { byte -> String in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: String(UnicodeScalar(byte))
            default: "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }.joined()
    }

    /// A path with its query; parameters without a value are left out.
    static func make(_ path: String, _ query: [(String, String?)]) -> String {
        let parts = query.compactMap { name, value in value.map { "\(name)=\(encode($0))" } }
        return parts.isEmpty ? path : path + "?" + parts.joined(separator: "&")
    }
}
