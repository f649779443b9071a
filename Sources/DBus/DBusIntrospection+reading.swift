// Introspection data of others, who write it as they like: what is unknown is skipped, what is broken is
// an error.

extension DBusIntrospection {
    /// Reads the document that an object has answered to `Introspect`.
    ///
    /// Annotations, and the interfaces of nested nodes, are skipped.
    /// - Throws: ``DBusError`` `invalidArgs` for XML that is broken or has no node, or whose names or types
    ///   cannot be.
    public init(xml: String) throws {
        self.init()
        var scanner = XMLScanner(xml)
        var open: [String] = []
        while let tag = try scanner.next() {
            switch tag {
            case .start(let name, let attributes):
                guard !open.isEmpty || name == "node" else { throw Self.fault("there is no node") }
                guard open.count < 64 else { throw Self.fault("it is nested too deeply") }
                try read(name, attributes, in: open)
                open.append(name)
            case .end(let name):
                guard open.popLast() == name else { throw Self.fault("</\(name)> ends nothing") }
                if open.isEmpty { return }
            }
        }
        throw Self.fault(open.isEmpty ? "there is no node" : "<\(open[open.count - 1])> does not end")
    }

    /// Takes in one element by its place in the document.
    private mutating func read(_ name: String, _ attributes: [String: String], in open: [String]) throws {
        guard open.first == "node" else { return }
        switch (open.count, name) {
        case (1, "node"): children.append(try Self.required("name", of: name, attributes))
        case (1, "interface"):
            let interface = try Self.required("name", of: name, attributes)
            try NameRules.checkInterface(interface)
            interfaces.append(Interface(interface))
        case (2, _) where open[1] == "interface": try interfaces[interfaces.count - 1].add(name, attributes)
        case (3, "arg") where open[1] == "interface":
            try interfaces[interfaces.count - 1].addArgument(to: open[2], attributes)
        default: break
        }
    }

    fileprivate static func required(_ key: String, of element: String, _ attributes: [String: String]) throws
        -> String
    {
        guard let value = attributes[key] else { throw fault("<\(element)> has no \(key)") }
        return value
    }

    fileprivate static func type(of element: String, _ attributes: [String: String]) throws -> String {
        let type = try required("type", of: element, attributes)
        try SignatureRules.checkOne(type)
        return type
    }

    static func fault(_ what: String) -> DBusError {
        .invalid("The introspection data cannot be read: \(what).")
    }
}

extension DBusIntrospection.Interface {
    fileprivate mutating func add(_ kind: String, _ attributes: [String: String]) throws {
        guard ["method", "signal", "property"].contains(kind) else { return }
        let name = try DBusIntrospection.required("name", of: kind, attributes)
        try NameRules.checkMember(name)
        switch kind {
        case "method": methods.append(DBusIntrospection.Method(name))
        case "signal": signals.append(DBusSignalDescription(name))
        default:
            let type = try DBusIntrospection.type(of: kind, attributes)
            let access = DBusIntrospection.Property.Access(rawValue: attributes["access"] ?? "read") ?? .read
            properties.append(DBusIntrospection.Property(name, type, access: access))
        }
    }

    fileprivate mutating func addArgument(to kind: String, _ attributes: [String: String]) throws {
        let type = try DBusIntrospection.type(of: "arg", attributes)
        let argument = DBusArgument(attributes["name"] ?? "", type)
        switch kind {
        case "method" where attributes["direction"] == "out":
            methods[methods.count - 1].out.append(argument)
        case "method": methods[methods.count - 1].in.append(argument)
        case "signal": signals[signals.count - 1].arguments.append(argument)
        default: break
        }
    }
}
