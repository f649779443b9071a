// The event stream and attempts' logs over HTTP: NDJSON for programs, SSE for browsers.

import BelfryAPI
import BelfryCore
import Glibc
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

struct EventRoutes {
    let backend: any HubBackend

    func add(to router: Router<HubContext>) {
        router.get("/v1/events") { request, context in try await stream(request, context) }
        router.get("/v1/tasks/:task/log") { request, context in try await log(request, context) }
    }

    // MARK: Events

    /// Which events a client wants, and in which form.
    private struct Wish: Sendable {
        var follows: Bool
        var progress: Bool
        var taskID: TaskID?
        var isSSE: Bool

        func encode(_ batch: SinkBatch) -> [UInt8] {
            var bytes: [UInt8] = []
            if let gap = batch.gap, taskID == nil { append(gap.json.encoded, id: nil, to: &bytes) }
            for record in batch.events where taskID == nil || record.taskID == taskID {
                append(record.json, id: record.cursor, to: &bytes)
            }
            for update in batch.progress where taskID == nil || update.task.id == taskID {
                append(update.json.encoded, id: nil, to: &bytes)
            }
            return bytes
        }

        private func append(_ json: [UInt8], id: EventCursor?, to bytes: inout [UInt8]) {
            guard isSSE else {
                bytes += json
                bytes.append(0x0A)
                return
            }
            if let id { bytes += "id: \(id)\n".utf8 }
            bytes += "data: ".utf8
            bytes += json
            bytes += "\n\n".utf8
        }
    }

    private func stream(_ request: Request, _ context: HubContext) async throws -> Response {
        let isSSE = request.headers[.accept]?.contains("text/event-stream") ?? false
        var wish = Wish(
            follows: request.query("follow") != "false" && !context.isOffline,
            progress: request.isTrue("progress"),
            isSSE: isSSE
        )
        if let name = request.query("task") { wish.taskID = try await backend.find(name).id }
        let source = backend.reader(after: try start(of: request), wantsProgress: wish.progress)
        let type = isSSE ? "text/event-stream" : "application/x-ndjson"
        let headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache"]
        let body = wish.follows ? following(source, wish, request) : replaying(source, wish)
        return Response(status: .ok, headers: headers, body: body)
    }

    /// The cursor to begin after: given as such, or the last so many events.
    private func start(of request: Request) throws -> EventCursor? {
        if let text = request.headers[HTTPField.Name("Last-Event-ID")!] ?? request.query("after") {
            guard let cursor = EventCursor(text) else {
                throw BelfryError(
                    .invalidRequest,
                    "'\(text)' is not a cursor.",
                    fix: "Use one that belfry tail --show-cursor printed."
                )
            }
            return cursor
        }
        let newest = backend.newestEvent
        guard let last = request.query("last") else { return newest }
        if last == "all" { return EventCursor(epoch: newest.epoch, position: 0) }
        guard let count = Int64(last), count >= 0 else {
            throw BelfryError(.invalidRequest, "'last' must be a number of events or 'all'.")
        }
        return EventCursor(epoch: newest.epoch, position: max(0, newest.position - count))
    }

    private func replaying(_ source: any EventSource, _ wish: Wish) -> ResponseBody {
        let end = backend.newestEvent.position
        return ResponseBody { writer in
            var reached: Int64 = 0
            while reached < end, let batch = try await source.available(limit: 1000) {
                reached = batch.events.last?.position ?? batch.gap?.to ?? reached
                try await writer.write(ByteBuffer(bytes: wish.encode(batch)))
            }
            try await writer.finish(nil)
        }
    }

    /// A reader that is slow is slow alone: nothing more is read for it until its bytes are taken.
    private func following(_ source: any EventSource, _ wish: Wish, _ request: Request) -> ResponseBody {
        ResponseBody { writer in
            // Without this an idle client's leaving is not seen, and shutdown waits for it.
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                if wish.isSSE { try await writer.write(ByteBuffer(string: "retry: 1000\n\n")) }
                let batches = EventBatches(source: source, heartbeat: wish.isSSE ? .seconds(15) : nil)
                for try await batch in batches.cancelOnGracefulShutdown() {
                    let bytes = batch.map(wish.encode) ?? Array(": alive\n\n".utf8)
                    if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
                }
            }
            try await writer.finish(nil)
        }
    }

    // MARK: Logs

    private func log(_ request: Request, _ context: HubContext) async throws -> Response {
        let task = try await backend.find(try context.name("task"))
        let latest = max(1, task.attempt)
        let attempt = try request.number("attempt", in: 1...1_000_000, default: latest)
        guard attempt <= latest else {
            throw BelfryError(
                .notFound,
                "#\(task.number) has had no attempt \(attempt).",
                fix: "Its latest is \(task.attempt)."
            )
        }
        let path = backend.logPath(of: task.id, attempt: attempt)
        let follows = request.isTrue("follow") && !context.isOffline
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream"],
            body: follows
                ? followingLog(path, of: task, attempt: attempt, request)
                : ResponseBody { writer in
                    _ = try await copyLog(path, from: 0, to: &writer)
                    try await writer.finish(nil)
                }
        )
    }

    private func followingLog(_ path: String, of task: BackgroundTask, attempt: Int, _ request: Request)
        -> ResponseBody
    {
        ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                var signals = backend.logSignals(of: task.id).cancelOnGracefulShutdown().makeAsyncIterator()
                var offset = 0
                while true {
                    // Asked before the copy: what came before the end is in the file by then.
                    let isOver = try await !isRunning(task, attempt: attempt)
                    offset = try await copyLog(path, from: offset, to: &writer)
                    if isOver { break }
                    guard await signals.next() != nil else { break }
                }
            }
            try await writer.finish(nil)
        }
    }

    private func isRunning(_ task: BackgroundTask, attempt: Int) async throws -> Bool {
        guard let now = try await backend.task(task.id) else { return false }
        return now.attempt <= attempt && !now.status.isFinal
    }

    private func copyLog(_ path: String, from start: Int, to writer: inout any ResponseBodyWriter)
        async throws -> Int
    {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return start }
        defer { close(descriptor) }
        var offset = start
        while true {
            let bytes = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
                count = max(0, pread(descriptor, buffer.baseAddress, buffer.count, offset))
            }
            if bytes.isEmpty { return offset }
            offset += bytes.count
            try await writer.write(ByteBuffer(bytes: bytes))
        }
    }
}

/// The batches of an event source as a sequence; nil stands for a heartbeat.
private struct EventBatches: AsyncSequence, Sendable {
    let source: any EventSource
    let heartbeat: Duration?

    struct Iterator: AsyncIteratorProtocol {
        let source: any EventSource
        let heartbeat: Duration?

        mutating func next() async throws -> SinkBatch?? {
            guard let heartbeat else { return try await source.next(limit: 512).map { .some($0) } }
            return try await withThrowingTaskGroup(of: SinkBatch??.self) { group in
                group.addTask { [source] in try await source.next(limit: 512).map { .some($0) } }
                group.addTask {
                    try await ContinuousClock().sleep(for: heartbeat)
                    return .some(nil)
                }
                let first = try await group.next() ?? nil
                group.cancelAll()
                guard case .some(nil) = first else { return first }
                // A batch that came with the heartbeat has left the source: it must not get lost.
                return (try? await group.next() ?? nil) ?? first
            }
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(source: source, heartbeat: heartbeat) }
}
