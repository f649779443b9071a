// Errors that people and programs meet: a stable code, what is wrong, and what to do about it.

/// An error with a stable code, a sentence for people and the next step.
public struct BelfryError: Error, Hashable, Sendable {
    /// What went wrong, as a stable word that programs may match.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }
        public init(_ rawValue: String) { self.rawValue = rawValue }

        public static let unknownFeature = Code("unknown_feature")
        public static let featureUnavailable = Code("feature_unavailable")
        public static let invalidParams = Code("invalid_params")
        public static let invalidRequest = Code("invalid_request")
        public static let tooLarge = Code("too_large")
        public static let notFound = Code("not_found")
        public static let conflict = Code("conflict")
        public static let notAllowedNow = Code("not_allowed_now")
        public static let shuttingDown = Code("shutting_down")
        public static let storeUnavailable = Code("store_unavailable")
        public static let outcomeUnknown = Code("outcome_unknown")
        public static let schemaTooNew = Code("schema_too_new")
        public static let diskFull = Code("disk_full")
        public static let notWritable = Code("not_writable")
        public static let alreadyRunning = Code("already_running")
        public static let noHub = Code("no_hub")
        public static let invalidPlugin = Code("invalid_plugin")
        public static let invalidConfiguration = Code("invalid_configuration")
        public static let invalidPlace = Code("invalid_place")
        public static let internalError = Code("internal_error")
    }

    public var code: Code
    /// One sentence that names the thing it is about.
    public var message: String
    /// The next step for whoever reads this, when there is one.
    public var fix: String?
    /// A JSON pointer (RFC 6901) to the part of the request that is wrong.
    public var pointer: String?

    public init(_ code: Code, _ message: String, fix: String? = nil, pointer: String? = nil) {
        self.code = code
        self.message = message
        self.fix = fix
        self.pointer = pointer
    }
}

extension BelfryError {
    /// It says that one task has moved on, or stands in the way: who changes many goes on with the others.
    public var isAboutOneTask: Bool { [.notAllowedNow, .notFound, .conflict].contains(code) }
}

extension BelfryError: CustomStringConvertible {
    public var description: String {
        guard let fix else { return message }
        return "\(message)\n  fix: \(fix)"
    }
}
