// One prompt on a ComfyUI server: whether it waits, runs or is done, and how to take it back.

import BelfryCore
import NIOCore

struct ComfyPrompt: Sendable {
    enum Place: Sendable {
        case pending, running
        /// With what the history says of it.
        case done(JSONValue)
        /// Neither waiting nor running nor done.
        case nowhere
    }

    let id: String
    var client: ServerClient

    func place() async throws -> Place {
        if let entry = try await json("/history/\(id)", limit: 32 << 20)[id] { return .done(entry) }
        return try await queued()
    }

    private func queued() async throws -> Place {
        let queue = try await json("/queue", limit: 64 << 20)
        // Each entry is [number, id, workflow, …].
        func holds(_ list: String) -> Bool {
            queue[list]?.array?.contains { ($0.array?.dropFirst().first)?.string == id } ?? false
        }
        if holds("queue_running") { return .running }
        return holds("queue_pending") ? .pending : .nowhere
    }

    private func json(_ path: String, limit: Int) async throws -> JSONValue {
        let answer = try await client.get(path, limit: limit)
        guard answer.status == 200 else { throw client.failure(answer.status, said: answer.excerpt) }
        guard let json = answer.json, json.object != nil else {
            throw client.badAnswer("it is no JSON object: \(answer.excerpt)")
        }
        return json
    }

    /// Takes the prompt out of the queue, or stops it when it runs. What runs for others is left alone.
    func withdraw() async {
        var hasty = self
        // The grace of a cancelled task is short.
        hasty.client.timeout = .milliseconds(1500)
        guard var place = try? await hasty.queued() else { return }
        if case .pending = place {
            _ = try? await hasty.client.post("/queue", ["delete": [.string(id)]])
            // It may have begun in between.
            guard let now = try? await hasty.queued() else { return }
            place = now
        }
        if case .running = place {
            _ = try? await hasty.client.post("/interrupt", ["prompt_id": .string(id)])
        }
    }
}
