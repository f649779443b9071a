// How many attempts one plugin has at once, over all of its tools.

import Synchronization

/// Slots, given out in the order in which they were asked for.
final class SlotQueue: Sendable {
    private struct State {
        var free: Int
        var waiting: [Latch<Void>] = []
    }

    private let state: Mutex<State>

    /// - Parameter count: nil for any number.
    init(_ count: Int?) { state = Mutex(State(free: count ?? .max)) }

    /// Waits for a free slot.
    func take() async throws {
        let latch: Latch<Void>? = state.withLock { state in
            guard state.free == 0 else {
                state.free -= 1
                return nil
            }
            let latch = Latch<Void>()
            state.waiting.append(latch)
            return latch
        }
        guard let latch else { return }
        do { try await latch.value() } catch {
            let wasGiven = state.withLock { state in
                guard let index = state.waiting.firstIndex(where: { $0 === latch }) else { return true }
                state.waiting.remove(at: index)
                return false
            }
            // Cancelled while it was handed over.
            if wasGiven { give() }
            throw error
        }
    }

    /// Gives one back.
    func give() {
        let next: Latch<Void>? = state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free += 1
            return nil
        }
        next?.settle(.success(()))
    }
}
