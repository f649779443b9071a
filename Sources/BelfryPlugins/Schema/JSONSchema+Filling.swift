// What a schema adds to a value: defaults for what was left out, and paths from the root.

public import BelfryCore

extension JSONSchema {
    /// `value` with the defaults of the properties that it leaves out.
    ///
    /// Defaults come from `properties`, also behind `$ref` and `allOf`, on every level that is there;
    /// a default is put in as it is written. Defaults that their own schema refuses are left out.
    public func filling(_ value: JSONValue) -> JSONValue { fill(value, certain([0])) }

    private func fill(_ value: JSONValue, _ schemas: [Int]) -> JSONValue {
        guard !schemas.isEmpty else { return value }
        switch value {
        case .object(var members):
            for name in schemas.flatMap({ nodes[$0].propertyNames }) where members[name] == nil {
                members.set(
                    name,
                    certain(children(name, of: schemas)).lazy.compactMap { nodes[$0].defaultValue }.first
                )
            }
            for (name, member) in members {
                members[name] = fill(member, certain(children(name, of: schemas)))
            }
            return .object(members)
        case .array(let items):
            return .array(
                items.enumerated().map { fill($0.element, certain(children($0.offset, of: schemas))) }
            )
        default: return value
        }
    }

    /// `value` with every string of a path format made absolute; see ``accept(_:workingDirectory:featureID:)``.
    ///
    /// Of the forms of an `anyOf` or `oneOf` the first that fits counts.
    public func resolvingPaths(_ value: JSONValue, workingDirectory: String?) -> JSONValue {
        guard nodes.contains(where: { $0.format != nil }) else { return value }
        var checker = SchemaChecker(nodes: nodes, checksFiles: false)
        return resolve(value, [0], from: workingDirectory, home: PathCheck.home, &checker)
    }

    private func resolve(
        _ value: JSONValue,
        _ schemas: [Int],
        from directory: String?,
        home: String?,
        _ checker: inout SchemaChecker
    ) -> JSONValue {
        let schemas = applying(to: value, schemas, &checker)
        guard !schemas.isEmpty else { return value }
        switch value {
        case .string(let text) where schemas.contains(where: { nodes[$0].format != nil }):
            // Where a path begins that an earlier task has a part in, is known when that is done.
            if text.hasTaskReference { return value }
            return .string(PathCheck.absolute(text, from: directory, home: home))
        case .object(var members):
            for (name, member) in members {
                members[name] = resolve(
                    member,
                    children(name, of: schemas),
                    from: directory,
                    home: home,
                    &checker
                )
            }
            return .object(members)
        case .array(let items):
            return .array(
                items.enumerated().map {
                    resolve(
                        $0.element,
                        children($0.offset, of: schemas),
                        from: directory,
                        home: home,
                        &checker
                    )
                }
            )
        default: return value
        }
    }

    // MARK: Which schemas see a value

    private func closure(_ schemas: [Int], _ next: (SchemaNode) -> [Int]) -> [Int] {
        var found: [Int] = []
        var seen: Set<Int> = []
        var open = Array(schemas.reversed())
        while let index = open.popLast() {
            guard seen.insert(index).inserted else { continue }
            found.append(index)
            open += next(nodes[index]).reversed()
        }
        return found
    }

    /// With those that apply whatever the value is.
    private func certain(_ schemas: [Int]) -> [Int] {
        closure(schemas) { node in [node.reference].compactMap { $0 } + node.allOf }
    }

    /// With those that apply to `value`.
    ///
    /// - Parameter checker: one for all parts of a value, so that its bound on steps holds for them together.
    private func applying(to value: JSONValue, _ schemas: [Int], _ checker: inout SchemaChecker) -> [Int] {
        func fits(_ index: Int) -> Bool { checker.violations(of: value, by: index).isEmpty }
        return closure(schemas) { node in
            var next = [node.reference].compactMap { $0 } + node.allOf
            next += [node.anyOf.first(where: fits), node.oneOf.first(where: fits)].compactMap { $0 }
            if let condition = node.condition {
                next += [fits(condition) ? node.then : node.otherwise].compactMap { $0 }
            }
            next += node.dependentSchemas.filter { value[$0.key] != nil }.values
            return next
        }
    }

    /// With every form that a value may have.
    func shape(of index: Int) -> [Int] { shape(of: [index]) }

    /// With every form that a value may have, for each of `schemas`.
    func shape(of schemas: [Int]) -> [Int] {
        closure(schemas) { node in
            [node.reference].compactMap { $0 } + node.allOf + node.anyOf + node.oneOf
                + [node.then, node.otherwise].compactMap { $0 } + node.dependentSchemas.values
        }
    }

    func children(_ name: String, of schemas: [Int]) -> [Int] {
        schemas.flatMap { nodes[$0].schemas(ofMember: name) }
    }

    func children(_ offset: Int, of schemas: [Int]) -> [Int] {
        schemas.compactMap { index in
            let prefix = nodes[index].prefixItems
            return offset < prefix.count ? prefix[offset] : nodes[index].items
        }
    }
}
