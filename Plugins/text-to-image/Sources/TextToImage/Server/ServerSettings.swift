// Where a server of pictures is and who asks, from the environment. One form for all providers.

import FoundationEssentials

/// The address of a server and the credentials for it.
struct ServerSettings: Sendable {
    /// The variable that holds the address, for errors.
    let variable: String
    /// Without a slash at the end.
    let baseURL: String
    /// What the header `Authorization` says; nil when the server wants none.
    let authorization: String?
    /// What to do about refused credentials.
    let credentialsFix: String

    /// Reads `PREFIX_BASE_URL`, and `PREFIX_TOKEN` (bearer) or `PREFIX_USER` with `PREFIX_PASSWORD` (basic).
    ///
    /// - Parameter address: the one that the program has unless told otherwise.
    init(_ prefix: String, _ environment: [String: String], address: String) {
        func value(_ name: String) -> String? {
            environment["\(prefix)_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
        }
        variable = "\(prefix)_BASE_URL"
        baseURL = Self.withoutSlash(value("BASE_URL") ?? address)
        if let token = value("TOKEN") {
            authorization = "Bearer \(token)"
        } else if let user = value("USER") {
            let pair = Data("\(user):\(value("PASSWORD") ?? "")".utf8)
            authorization = "Basic \(pair.base64EncodedString())"
        } else {
            authorization = nil
        }
        credentialsFix =
            "Set \(prefix)_USER and \(prefix)_PASSWORD, or \(prefix)_TOKEN, in [environment] of Belfry's configuration."
    }

    init(variable: String, baseURL: String, authorization: String?, credentialsFix: String) {
        self.variable = variable
        self.baseURL = Self.withoutSlash(baseURL)
        self.authorization = authorization
        self.credentialsFix = credentialsFix
    }

    private static func withoutSlash(_ url: String) -> String {
        var url = url
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }
}
