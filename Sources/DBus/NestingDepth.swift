// How deep values may stand within each other, by the specification. The bus cuts the connection of who
// goes deeper.

/// How far inside of containers a value is.
struct NestingDepth {
    /// Containers within each other, variants too.
    static let deepest = 64

    private(set) var arrays = 0
    private(set) var structures = 0
    private(set) var total = 0

    func inArray() throws -> NestingDepth {
        guard arrays < SignatureRules.deepest else { throw Self.fault("arrays") }
        var inner = try inEntry()
        inner.arrays += 1
        return inner
    }

    func inStructure() throws -> NestingDepth {
        guard structures < SignatureRules.deepest else { throw Self.fault("structures") }
        var inner = try inEntry()
        inner.structures += 1
        return inner
    }

    func inEntry() throws -> NestingDepth {
        guard total < Self.deepest else {
            throw DBusError.tooLarge("The value has more than \(Self.deepest) levels.")
        }
        var inner = self
        inner.total += 1
        return inner
    }

    /// A variant brings a signature of its own, so that only the sum goes on.
    func inVariant() throws -> NestingDepth {
        var outer = NestingDepth()
        outer.total = total
        return try outer.inEntry()
    }

    private static func fault(_ what: String) -> DBusError {
        .tooLarge("The value has more than \(SignatureRules.deepest) \(what) within each other.")
    }
}
