// The way to a plugin's stdin. Who sends waits until the pipe took the line, so a plugin that does not read
// holds up whoever talks to it, and the hub's memory stays as it is.

import Synchronization

/// Lines to a plugin that stays, and the wish that it ends. Belongs to one run of a ``PluginProcess``.
final class PluginChannel: Sendable {
    /// The program has ended, was asked to, or closed its stdin: nothing reaches it any more.
    struct Closed: Error {}

    enum Stop: Sendable {
        /// End of input; TERM only when it does not end by itself.
        case politely
        /// TERM at once.
        case now
    }

    private struct Item {
        let id: Int
        let line: [UInt8]
        /// Nil when nobody waits for the line.
        var sender: CheckedContinuation<Void, any Error>?
    }

    private struct State {
        var queue: [Item] = []
        var nextID = 0
        /// Senders that were cancelled before they were in the queue.
        var cancelled: Set<Int> = []
        var writer: CheckedContinuation<Void, Never>?
        var stopper: CheckedContinuation<Void, Never>?
        var stop: Stop?
        /// The program is gone.
        var isOver = false

        var takesNoMore: Bool { isOver || stop != nil }
    }

    private let state = Mutex(State())

    /// Sends a line, and waits until it is in the pipe.
    ///
    /// - Parameter line: without a newline.
    /// - Throws: ``Closed``; `CancellationError` when cancelled and the line does not go out. A line that was begun
    ///   is written to its end; a sender that is cancelled then does not wait for that.
    func send(_ line: [UInt8]) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { enqueue(Item(id: id, line: line, sender: $0)) }
        } onCancel: {
            drop(id)
        }
    }

    /// Sends a line without waiting: for the few words that must go out from where nobody can wait.
    func post(_ line: [UInt8]) {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        enqueue(Item(id: id, line: line, sender: nil))
    }

    /// Asks the program to end. Lines that were sent before still go out first, unless it is `now`.
    func stop(_ stop: Stop) {
        let waiting = state.withLock { state in
            if state.stop == nil || stop == .now { state.stop = stop }
            return [state.writer.take(), state.stopper.take()]
        }
        for waiter in waiting { waiter?.resume() }
    }

    // MARK: For the process

    /// The line to write next, with its newline; nil when there will be none.
    func next() async -> (id: Int, line: [UInt8])? {
        await wait(\.writer) { !$0.queue.isEmpty || $0.takesNoMore }
        return state.withLock { state in
            guard state.stop != .now, let item = state.queue.first else { return nil }
            return (item.id, item.line + [0x0A])
        }
    }

    /// The line that ``next()`` gave is in the pipe.
    func wasWritten(_ id: Int) {
        let sender: CheckedContinuation<Void, any Error>? = state.withLock { state in
            guard state.queue.first?.id == id else { return nil }
            return state.queue.removeFirst().sender
        }
        sender?.resume()
    }

    /// Returns when the program is to end: nil when it has ended.
    ///
    /// - Parameter atOnce: whether only `now` counts.
    func stopped(atOnce: Bool = false) async -> Stop? {
        await wait(\.stopper) { $0.isOver || (atOnce ? $0.stop == .now : $0.stop != nil) }
        return state.withLock { $0.isOver ? nil : $0.stop }
    }

    /// The program reads no more: everybody who waits for it is told, and it is to end.
    func inputEnded() {
        stop(.politely)
        refuseAll()
    }

    /// The program is gone.
    func end() {
        let waiting = state.withLock { state in
            state.isOver = true
            return [state.writer.take(), state.stopper.take()]
        }
        for waiter in waiting { waiter?.resume() }
        refuseAll()
    }

    // MARK: Within

    private func refuseAll() {
        let items = state.withLock { state in
            defer { state.queue = [] }
            return state.queue
        }
        for item in items { item.sender?.resume(throwing: Closed()) }
    }

    private func enqueue(_ item: Item) {
        let (failure, writer): ((any Error)?, CheckedContinuation<Void, Never>?) = state.withLock { state in
            if state.cancelled.contains(item.id) { return (CancellationError(), nil) }
            if state.takesNoMore { return (Closed(), nil) }
            state.queue.append(item)
            return (nil, state.writer.take())
        }
        if let failure { item.sender?.resume(throwing: failure) }
        writer?.resume()
    }

    private func drop(_ id: Int) {
        let (begun, dropped): (CheckedContinuation<Void, any Error>?, Item?) = state.withLock { state in
            guard let index = state.queue.firstIndex(where: { $0.id == id }) else {
                state.cancelled.insert(id)
                return (nil, nil)
            }
            // Of the first line a part may be in the pipe; without its rest, the next one would be garbage.
            return index == 0 ? (state.queue[0].sender.take(), nil) : (nil, state.queue.remove(at: index))
        }
        begun?.resume()
        dropped?.sender?.resume(throwing: CancellationError())
    }

    private typealias Place = any (WritableKeyPath<State, CheckedContinuation<Void, Never>?> & Sendable)

    /// Waits until `isDone`; a task that is cancelled takes it that the program is gone.
    private func wait(_ place: Place, until isDone: @Sendable (State) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if isDone(state) { return true }
                    state[keyPath: place] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            end()
        }
    }
}
