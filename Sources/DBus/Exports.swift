// The objects of a connection by path. Registered from any task, looked up on the queue.

import Synchronization

/// An object prepared for lookups.
struct ServedObject: Sendable {
    struct Member: Sendable {
        var interface: String
        var method: DBusMethod
        var input: String
        var output: String
    }

    let object: DBusObject
    private let members: [String: [Member]]

    init(_ object: DBusObject) {
        self.object = object
        var members: [String: [Member]] = [:]
        for interface in object.interfaces {
            for method in interface.methods {
                let member = Member(
                    interface: interface.name,
                    method: method,
                    input: method.in.map(\.signature).joined(),
                    output: method.out.map(\.signature).joined()
                )
                members[method.name, default: []].append(member)
            }
        }
        self.members = members
    }

    /// The method; without an interface the first of that name.
    func member(_ name: String, of interface: String?) -> Member? {
        members[name]?.first { interface == nil || interface == $0.interface }
    }

    func interface(_ name: String) -> DBusInterface? { object.interfaces.first { $0.name == name } }
}

/// What stands at which path.
final class Exports: Sendable {
    /// nil when the connection is over.
    private let objects = Mutex<[String: ServedObject]?>([:])

    /// - Throws: ``DBusError`` `objectPathInUse` or `disconnected`.
    func add(_ object: ServedObject, at path: String) throws {
        let isFree = try objects.withLock { objects in
            guard let others = objects else { throw DBusError.closed }
            if others[path] != nil { return false }
            objects?[path] = object
            return true
        }
        guard isFree else {
            throw DBusError(
                name: DBusError.objectPathInUse,
                message: "An object is exported at \(path) already."
            )
        }
    }

    func remove(_ path: String) { _ = objects.withLock { $0?.removeValue(forKey: path) } }

    /// Lets go of all objects, and of every one that somebody adds at this moment: their handlers may hold the
    /// connection, which would hold itself then.
    func end() { objects.withLock { $0 = nil } }

    func object(at path: String) -> ServedObject? { objects.withLock { $0?[path] } }

    /// The names right below `path`, in order.
    func children(of path: String) -> [String] {
        let prefix = path == "/" ? "/" : path + "/"
        let all = objects.withLock { objects in objects.map { Array($0.keys) } ?? [] }
        let paths = all.filter { $0.hasPrefix(prefix) && $0 != path }
        return Set(paths.map { String($0.dropFirst(prefix.count).prefix { $0 != "/" }) }).sorted()
    }
}

extension DBusObject {
    /// - Throws: ``DBusError`` that names what is wrong.
    func check() throws {
        for interface in interfaces {
            try NameRules.checkInterface(interface.name)
            guard !StandardInterface.names.contains(interface.name) else {
                throw DBusError.invalid("\(interface.name) is served by the connection itself.")
            }
            for method in interface.methods {
                try NameRules.checkMember(method.name)
                try Self.check(method.in)
                try Self.check(method.out)
            }
            for property in interface.properties {
                try NameRules.checkMember(property.name)
                try SignatureRules.checkOne(property.signature)
            }
            for signal in interface.signals {
                try NameRules.checkMember(signal.name)
                try Self.check(signal.arguments)
            }
        }
    }

    private static func check(_ arguments: [DBusArgument]) throws {
        for argument in arguments { try SignatureRules.checkOne(argument.signature) }
        try SignatureRules.check(arguments.map(\.signature).joined())
    }
}
