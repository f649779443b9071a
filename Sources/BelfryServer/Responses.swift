// JSON in and out of requests, and every error as a problem document, the framework's own too.

import BelfryAPI
import BelfryCore
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

enum Limits {
    /// One task with its submission context, in bytes.
    static let task = 4 << 20
    static let batch = 64 << 20
    static let small = 64 << 10
}

extension Response {
    init(json: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(
            status: status,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.encoded))
        )
    }

    /// Prometheus' text format, under the type that tells its version.
    init(metrics page: String) {
        self.init(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: page))
        )
    }

    init(problem error: BelfryError) {
        self.init(
            status: HTTPResponse.Status(code: error.httpStatus),
            headers: [.contentType: "application/problem+json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: error.problem.encoded))
        )
    }
}

extension Request {
    /// The body as JSON.
    ///
    /// - Throws: ``BelfryError`` `too_large` or `invalid_request`.
    func json(upTo limit: Int, keys: Int = 100_000) async throws -> JSONValue {
        let buffer: ByteBuffer
        do { buffer = try await body.collect(upTo: limit) } catch is NIOTooManyBytesError {
            throw BelfryError(.tooLarge, "The request is larger than \(limit >> 10) KiB.")
        }
        if buffer.readableBytes == 0 { return [:] }
        do { return try JSONValue(parsing: buffer.readableBytesView, limits: JSONLimits(keys: keys)) } catch {
            throw BelfryError(.invalidRequest, "The request's body is not JSON: \(error)")
        }
    }

    func query(_ name: String) -> String? { uri.queryParameters[Substring(name)].map { String($0) } }

    func isTrue(_ name: String) -> Bool { ["true", "1", "yes"].contains(query(name) ?? "") }

    /// A time among the query's parameters.
    func time(_ name: String) throws -> Timestamp? {
        guard let text = query(name) else { return nil }
        guard let time = Timestamp(text) else {
            throw BelfryError(.invalidRequest, "'\(name)' must be a time such as 2026-11-23T20:02:46Z.")
        }
        return time
    }

    /// A whole number among the query's parameters.
    func number(_ name: String, in range: ClosedRange<Int>, default fallback: Int) throws -> Int {
        guard let text = query(name) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw BelfryError(
                .invalidRequest,
                "'\(name)' must be a number from \(range.lowerBound) to \(range.upperBound)."
            )
        }
        return value
    }
}

/// Turns whatever a route throws into a problem document.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = HubContext

    func handle(
        _ request: Request,
        context: HubContext,
        next: (Request, HubContext) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch let error as BelfryError {
            return Response(problem: error)
        } catch let error as HTTPError {
            return Response(problem: Self.translated(error, request))
        } catch let error as TaskStoreError {
            return Response(problem: Self.translated(error))
        } catch is CancellationError {
            return Response(problem: BelfryError(.shuttingDown, "The hub is shutting down."))
        } catch {
            context.logger.error(
                "a request failed",
                metadata: ["path": "\(request.uri.path)", "error": "\(error)"]
            )
            return Response(problem: BelfryError(.internalError, "The hub could not answer: \(error)"))
        }
    }

    private static func translated(_ error: HTTPError, _ request: Request) -> BelfryError {
        switch error.status {
        case .notFound: BelfryError(.notFound, "There is nothing at \(request.uri.path).")
        case .contentTooLarge: BelfryError(.tooLarge, "The request is too large.")
        default: BelfryError(.invalidRequest, error.body ?? error.status.reasonPhrase)
        }
    }

    private static func translated(_ error: TaskStoreError) -> BelfryError {
        switch error {
        case .unavailable(let error): error
        case .outcomeUnknown(let reason): BelfryError(.outcomeUnknown, reason)
        default: BelfryError(.conflict, "\(error)")
        }
    }
}
