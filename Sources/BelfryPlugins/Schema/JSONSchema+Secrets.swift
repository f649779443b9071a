// Which parts of a value are secrets, so that whoever shows or stores params can mask them.

public import BelfryCore

extension JSONSchema {
    /// Whether any part of a value can be a secret; when not, nothing needs to be looked through.
    public var hasWriteOnly: Bool { nodes.contains(where: \.isWriteOnly) }

    /// JSON pointers (RFC 6901) to the parts of `value` that are `writeOnly`, in the order of the value.
    ///
    /// Rather too much than too little: whatever one form of an `anyOf`, `oneOf` or `if` calls a secret is one,
    /// and so is all that it holds, of which only the outermost pointer is told. A value that the schema
    /// refuses is looked through like any other. The empty pointer is the whole value.
    public func writeOnlyPaths(in value: JSONValue) -> [String] {
        guard hasWriteOnly else { return [] }
        var paths: [String] = []
        collectSecrets(of: value, shape(of: [0]), at: "", into: &paths)
        return paths
    }

    private func collectSecrets(
        of value: JSONValue,
        _ schemas: [Int],
        at pointer: String,
        into paths: inout [String]
    ) {
        if schemas.contains(where: { nodes[$0].isWriteOnly }) { return paths.append(pointer) }
        guard !schemas.isEmpty else { return }
        switch value {
        case .object(let members):
            for (name, member) in members {
                let below = shape(of: children(name, of: schemas))
                collectSecrets(of: member, below, at: JSONPointer.appending(name, to: pointer), into: &paths)
            }
        case .array(let items):
            for (offset, item) in items.enumerated() {
                let below = shape(of: children(offset, of: schemas))
                collectSecrets(of: item, below, at: JSONPointer.appending(offset, to: pointer), into: &paths)
            }
        default: break
        }
    }
}
