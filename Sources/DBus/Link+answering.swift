// Answers to the calls of others, checked like everything that goes out.

extension Link {
    /// Runs a handler and sends what comes of it.
    func answer(
        _ address: ReplyAddress,
        output: String,
        name: String,
        _ work: ObjectServer.Work
    ) async {
        do {
            let values = try await work()
            guard address.isWanted else { return }
            guard values.signature == output else {
                throw DBusError(
                    name: DBusError.failed,
                    message: "\(name) should return “\(output)” and returned “\(values.signature)”."
                )
            }
            let hasDescriptors = try MessageCheck.check(values, header: 0)
            try checkDescriptors(hasDescriptors)
            try? submit(.send(.answer(address, values)))
        } catch {
            if address.isWanted { try? submit(.send(.refusal(address, Self.presentable(error)))) }
        }
    }

    /// Answers at once, on the queue.
    func reply(_ values: [DBusValue], to address: ReplyAddress) {
        if address.isWanted { send(.answer(address, values)) }
    }

    /// Refuses at once, on the queue.
    func refuse(_ error: any Error, to address: ReplyAddress) {
        if address.isWanted { send(.refusal(address, Self.presentable(error))) }
    }

    /// - Throws: ``DBusError`` when descriptors should go over a connection that cannot carry them.
    func checkDescriptors(_ areThere: Bool) throws {
        guard areThere, !carriesDescriptors else { return }
        throw DBusError(
            name: "org.freedesktop.DBus.Error.NotSupported",
            message: "This connection to the bus does not carry file descriptors."
        )
    }

    /// An error that can be sent.
    private static func presentable(_ error: any Error) -> DBusError {
        guard let error = error as? DBusError else {
            return presentable(DBusError(name: DBusError.failed, message: "\(error)"))
        }
        var sendable = error
        sendable.message = String(error.message.prefix(4096).map { $0 == "\0" ? "\u{FFFD}" : $0 })
        if (try? NameRules.checkInterface(error.name)) == nil { sendable.name = DBusError.failed }
        return sendable
    }
}
