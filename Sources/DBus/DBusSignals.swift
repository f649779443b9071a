// The signals of one rule, as a sequence.

/// Signals that match a rule, as they come.
///
/// Keeps its connection open. The match rule is removed from the bus when the last copy of the sequence
/// and of its iterators is gone, or by ``cancel()``; so leaving a loop early ends it, unless somebody
/// still holds the sequence to go on later. Ends when the connection is lost or closed, after what had
/// come before. Cancelling the iterating task ends the iteration.
public struct DBusSignals: AsyncSequence, Sendable {
    public typealias Element = DBusSignal
    public typealias Failure = Never

    let subscription: Subscription

    /// Signals that were thrown away, the oldest first, because nobody took them in time.
    public var dropped: Int { subscription.listening.buffer.dropped }

    public func makeAsyncIterator() -> Iterator { Iterator(subscription: subscription) }

    /// Removes the match rule and ends the sequence, after what had come before.
    public func cancel() { subscription.cancel() }

    public struct Iterator: AsyncIteratorProtocol, Sendable {
        let subscription: Subscription

        public func next() async -> DBusSignal? { await subscription.listening.buffer.next() }

        public func next(isolation actor: isolated (any Actor)?) async -> DBusSignal? {
            await subscription.listening.buffer.next()
        }
    }
}

/// Shared by the copies of a sequence and its iterators; the last one removes the rule.
final class Subscription: Sendable {
    let listening: Listening
    private let connection: DBusConnection

    init(_ listening: Listening, on connection: DBusConnection) {
        self.listening = listening
        self.connection = connection
    }

    deinit { cancel() }

    func cancel() {
        listening.buffer.finish()
        try? connection.link.submit(.run { [listening] in $0.router.remove(listening, $0) })
    }
}
