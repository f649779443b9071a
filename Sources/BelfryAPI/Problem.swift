// Errors on the wire: RFC 9457 problem documents with Belfry's codes in them.

public import BelfryCore

extension BelfryError {
    /// `application/problem+json`.
    public var problem: JSONValue {
        var object: JSONObject = [
            "type": .string("urn:belfry:problem:\(code.rawValue)"), "title": .string(title),
            "status": .int(Int64(httpStatus)), "detail": .string(message), "code": .string(code.rawValue),
        ]
        object.set("fix", fix.map { .string($0) })
        object.set("pointer", pointer.map { .string($0) })
        return .object(object)
    }

    /// Reads a problem document; nil when it is none of ours.
    public init?(problem: JSONValue) {
        guard let code = problem["code"]?.string else { return nil }
        self.init(
            Code(code),
            problem["detail"]?.string ?? problem["title"]?.string ?? code,
            fix: problem["fix"]?.string,
            pointer: problem["pointer"]?.string
        )
    }

    private var title: String {
        code.rawValue.split(separator: "_").joined(separator: " ")
    }

    /// The HTTP status that goes with the code.
    public var httpStatus: Int {
        switch code {
        case .unknownFeature, .invalidParams, .invalidRequest, .invalidPlugin: 422
        case .notFound: 404
        case .conflict, .notAllowedNow: 409
        case .tooLarge: 413
        case .featureUnavailable, .shuttingDown, .storeUnavailable, .outcomeUnknown: 503
        case .diskFull: 507
        default: 500
        }
    }
}
