// Checks parameters before a task is accepted. A stated subset of JSON Schema 2020-12; a keyword
// that would check something and is not in the subset is refused when the schema is read, so that
// nobody believes in a check that is not made.

public import BelfryCore

/// A compiled JSON Schema for a feature's parameters.
///
/// Docs/ParamsSchema.md states the subset. `format` checks nothing, except that `file`, `directory` and `path`
/// are paths; see ``accept(_:workingDirectory:featureID:)``.
public struct JSONSchema: Sendable {
    /// One thing that is wrong with a value.
    public struct Violation: Hashable, Sendable {
        /// A JSON pointer (RFC 6901) into the value that was checked; empty for the whole.
        public let pointer: String
        /// What is wanted, continuing the value's name: `must be one of 2, 4`.
        public let wanted: String
        /// What is there instead, when showing it helps and it is no secret.
        public let got: String?
        /// One of the values that would do, as people would type it, when there is a list of them.
        public var choice: String?

        /// For people: `must be one of 2, 4; got 3`.
        public var sentence: String { got.map { "\(wanted); got \($0)" } ?? wanted }
    }

    /// The schema as it was written.
    public let source: JSONValue
    /// What is odd but stops nothing, such as a default that its own schema refuses.
    public let warnings: [String]
    let nodes: [SchemaNode]

    /// Compiles a schema.
    ///
    /// - Throws: ``BelfryError`` `invalid_plugin` with a pointer into the schema and the fix.
    public init(_ source: JSONValue) throws {
        var compiler = SchemaCompiler()
        try compiler.compile(source)
        self.source = source
        let (nodes, wrongDefaults) = Self.withoutWrongDefaults(compiler.nodes)
        self.nodes = nodes
        warnings = compiler.warnings + wrongDefaults
    }

    /// A default that is refused by its own schema would fail every task that relies on it.
    private static func withoutWrongDefaults(_ nodes: [SchemaNode]) -> ([SchemaNode], [String]) {
        var kept = nodes
        var warnings: [String] = []
        for index in nodes.indices {
            guard let value = nodes[index].defaultValue else { continue }
            var checker = SchemaChecker(nodes: nodes, checksFiles: false)
            guard let violation = checker.violations(of: value, by: index).first else { continue }
            kept[index].defaultValue = nil
            warnings.append("\(nodes[index].pointer)/default: is not used, because it \(violation.sentence)")
        }
        return (kept, warnings)
    }

    /// Everything that is wrong with `value`, at most 20 things; empty when it fits.
    ///
    /// - Parameter files: whether strings of the formats `file` and `directory` must name what is
    ///   there. Defaults to false.
    public func check(_ value: JSONValue, files: Bool = false) -> [Violation] {
        var checker = SchemaChecker(nodes: nodes, checksFiles: files)
        return Array(checker.violations(of: value, by: 0).prefix(20))
    }

    /// Fills in defaults, makes paths absolute, and checks.
    ///
    /// A string of the format `file`, `directory` or `path` is taken relative to `workingDirectory`,
    /// and `~/` is the home directory. A `file` must be readable, a `directory` must be one.
    ///
    /// A string that speaks of an earlier task (``TaskReference``) fits whatever is wanted and stays as it is:
    /// accept the params again once its value is in its place.
    ///
    /// - Parameters:
    ///   - workingDirectory: where the submitter stands, absolute; nil when not known.
    ///   - featureID: names the feature in the fix.
    /// - Throws: ``BelfryError`` `invalid_params` that names the parameter and points at it.
    public func accept(
        _ params: JSONValue,
        workingDirectory: String?,
        featureID: String? = nil
    ) throws -> JSONValue {
        let accepted = resolvingPaths(filling(params), workingDirectory: workingDirectory)
        let violations = check(accepted, files: true)
        if let first = violations.first {
            throw BelfryError(
                .invalidParams,
                Self.message(violations),
                fix: fix(first, featureID: featureID),
                pointer: first.pointer
            )
        }
        return accepted
    }

    /// The first three violations as sentences that name the parameter.
    private static func message(_ violations: [Violation]) -> String {
        let sentences = violations.prefix(3).map { violation in
            let name = JSONPointer.name(violation.pointer).map { "'\($0)'" } ?? "the parameters"
            return "\(name) \(violation.sentence)"
        }
        let rest = violations.count - sentences.count
        return sentences.joined(separator: ". ") + (rest > 0 ? ". And \(rest) more" : "")
    }

    /// The way out of a violation.
    func fix(_ violation: Violation, featureID: String?) -> String {
        guard let choice = violation.choice, let name = JSONPointer.name(violation.pointer) else {
            return fix(featureID: featureID)
        }
        let more = featureID.map { "; what it is for: belfry feature show \($0)" }
        return "Give one of them, such as \(name)=\(choice)\(more ?? ".")"
    }

    func fix(featureID: String?) -> String {
        if let featureID { return "see: belfry feature show \(featureID)" }
        let names = parameterNames
        return names.isEmpty
            ? "It takes no named parameters." : "Its parameters are: \(names.joined(separator: ", "))."
    }

    /// The named parameters, in the order of the schema.
    public var parameterNames: [String] {
        var seen: Set<String> = []
        return shape(of: 0).flatMap { nodes[$0].propertyNames }.filter { seen.insert($0).inserted }
    }
}

extension JSONSchema: Hashable {
    public static func == (left: JSONSchema, right: JSONSchema) -> Bool { left.source == right.source }

    public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
