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
            let message = try encoded(.answer(address, values))
            try? submit(.send(message))
        } catch {
            guard address.isWanted else { return }
            let refusal = try? OutgoingMessage.refusal(address, Self.presentable(error)).encoded()
            if let refusal { try? submit(.send(refusal)) }
        }
    }

    /// Answers at once, on the queue.
    func reply(_ values: [DBusValue], to address: ReplyAddress) {
        if address.isWanted, let message = try? encoded(.answer(address, values)) { send(message) }
    }

    /// Refuses at once, on the queue.
    func refuse(_ error: any Error, to address: ReplyAddress) {
        guard address.isWanted else { return }
        let refusal = OutgoingMessage.refusal(address, Self.presentable(error))
        if let message = try? refusal.encoded() { send(message) }
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
