// One exchange with a server of pictures: bounded, cancellable, its failures told in the same words by
// every provider.

import AsyncHTTPClient
import BelfryCore
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// What a server answered.
struct ServerAnswer: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var bytes: [UInt8]

    /// The body, when it is JSON.
    var json: JSONValue? { try? JSONValue(parsing: bytes) }
    /// The start of the body, for errors.
    var excerpt: String {
        bytes.isEmpty ? "nothing" : String(decoding: bytes.prefix(800), as: UTF8.self).truncated(toUTF8: 200)
    }
}

struct ServerClient: Sendable {
    let settings: ServerSettings
    /// How long one exchange may take. Defaults to a minute.
    var timeout = TimeAmount.minutes(1)
    /// Bytes of an answer at most. Defaults to 96 MiB: a picture in base64, with room.
    var limit = 96 << 20

    /// A server that refuses the connection is told at once: trying again is the hub's affair. The
    /// client lives as long as the process.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(20)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    func get(_ path: String, limit: Int? = nil) async throws -> ServerAnswer {
        try await send(request(path), limit: limit)
    }

    func post(_ path: String, _ body: JSONValue, timeout: TimeAmount? = nil) async throws -> ServerAnswer {
        var request = request(path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(body.encoded)
        return try await send(request, timeout: timeout)
    }

    /// An address that the server gave. It is often another machine's: the credentials are not for it.
    func get(foreign url: String) async throws -> ServerAnswer { try await send(HTTPClientRequest(url: url)) }

    private func request(_ path: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: settings.baseURL + path)
        request.headers.add(name: "Accept", value: "application/json")
        if let authorization = settings.authorization {
            request.headers.add(name: "Authorization", value: authorization)
        }
        return request
    }

    private func send(
        _ request: HTTPClientRequest,
        timeout: TimeAmount? = nil,
        limit: Int? = nil
    ) async throws -> ServerAnswer {
        let (timeout, limit) = (timeout ?? self.timeout, limit ?? self.limit)
        do {
            let response = try await Self.client.execute(request, timeout: timeout)
            let body = try await response.body.collect(upTo: limit)
            return ServerAnswer(
                status: Int(response.status.code),
                headers: response.headers,
                bytes: Array(body.readableBytesView)
            )
        } catch {
            // The client tells of a cancelled task in several ways, some of which look like a lost connection.
            if Task.isCancelled { throw CancellationError() }
            throw failure(error, timeout, limit)
        }
    }

    // MARK: Failures

    private func failure(_ error: any Error, _ timeout: TimeAmount, _ limit: Int) -> TaskFailure {
        switch error {
        case let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout:
            return TaskFailure(
                "timeout",
                "\(settings.baseURL) has not answered for \(timeout.nanoseconds / 1_000_000_000) seconds.",
                fix: "See what the server is doing; a smaller picture or fewer steps take less time.",
                isRetryable: true
            )
        case let error as HTTPClientError where Self.isAddressError(error):
            return TaskFailure(
                "bad_settings",
                "\(settings.variable) is no address: \(settings.baseURL)",
                fix: "Set it in [environment] of Belfry's configuration, such as http://localhost:8080"
            )
        case is NIOTooManyBytesError: return badAnswer("it is larger than \(limit >> 20) MiB")
        default:
            return TaskFailure(
                "unreachable",
                "Cannot reach \(settings.baseURL): \(error)",
                fix: "Check \(settings.variable), and that the server runs.",
                isRetryable: true
            )
        }
    }

    private static func isAddressError(_ error: HTTPClientError) -> Bool {
        error == .invalidURL || error == .emptyHost || error == .emptyScheme
            || "\(error)".contains("unsupportedScheme")
    }

    func badAnswer(_ reason: String) -> TaskFailure {
        TaskFailure(
            "bad_answer",
            "The answer of \(settings.baseURL) cannot be used: \(reason).",
            fix: "Check that \(settings.variable) leads to the right kind of server."
        )
    }

    /// What a status means that is none of a provider's own.
    ///
    /// - Parameter said: the server's words.
    func failure(_ status: Int, said: String) -> TaskFailure {
        let message = "\(settings.baseURL) answers \(status): \(said.truncated(toUTF8: 1000))"
        if let known = Self.failure(said: said, message: message) { return known }
        switch status {
        case 401, 403: return TaskFailure("bad_credentials", message, fix: settings.credentialsFix)
        case 429: return TaskFailure("rate_limited", message, isRetryable: true)
        case 408, 409, 500...599: return TaskFailure("server_error", message, isRetryable: true)
        default: return TaskFailure("bad_input", message)
        }
    }

    /// What servers say in the same words whatever they are: the graphics card is full, the words are not allowed.
    static func failure(said: String, message: String) -> TaskFailure? {
        let words = said.lowercased()
        if words.contains("out of memory") || words.contains("outofmemory") {
            return TaskFailure(
                "out_of_memory",
                message,
                fix: "Ask for a smaller picture or fewer at once, or free the server's graphics card.",
                isRetryable: true
            )
        }
        let refusals = ["content policy", "content_policy", "moderation", "safety system", "nsfw"]
        if refusals.contains(where: words.contains) {
            return TaskFailure("refused", message, fix: "Change the prompt.")
        }
        return nil
    }
}
