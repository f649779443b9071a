// Whose picture the server paints just now. Its API has one place of work and no names: an interrupt stops
// whatever runs there, so it is sent only when that is ours.

import BelfryCore
import NIOCore
import Synchronization

final class SDAPIJob: Sendable {
    enum State: Sendable {
        case idle
        case someoneElses
        /// - Parameter percent: 0…95; the rest is for receiving.
        case ours(percent: Double?, words: String)
    }

    /// What the request is called, by servers that take names.
    let id: String
    private let client: ServerClient
    /// What stopping the server may take: the grace of a cancelled task is short.
    private let farewell: TimeAmount
    /// The time at which the job started that ran before ours was sent. Servers have one such time for each job.
    private let before = Mutex<String?>(nil)

    init(id: String, client: ServerClient, farewell: TimeAmount = .seconds(2)) {
        self.id = id
        self.farewell = farewell
        self.client = client
    }

    /// Called before the request is sent.
    func noteWhatRuns() async {
        guard let progress = await progress() else { return }
        before.withLock { $0 = progress["state"]?["job_timestamp"]?.string }
    }

    /// Nil when the server does not answer, or not with what it should.
    func state() async -> State? {
        guard let progress = await progress(), let state = progress["state"] else { return nil }
        if let current = progress["current_task"]?.string, current != id { return .someoneElses }
        guard let jobs = state["job_count"]?.int, jobs != 0 else { return .idle }
        if let start = state["job_timestamp"]?.string, start == before.withLock({ $0 }) {
            return .someoneElses
        }
        return .ours(
            percent: progress["progress"]?.double.map { min(max($0, 0), 1) * 95 },
            words: words(state, jobs: jobs, text: progress["textinfo"]?.string)
        )
    }

    private func words(_ state: JSONValue, jobs: Int64, text: String?) -> String {
        guard let steps = state["sampling_steps"]?.int, steps > 0, let step = state["sampling_step"]?.int
        else {
            return text.flatMap { $0.isEmpty ? nil : $0.truncated(toUTF8: 100) } ?? "preparing"
        }
        let picture = jobs > 1 ? "picture \(min((state["job_no"]?.int ?? 0) + 1, jobs)) of \(jobs), " : ""
        return "\(picture)step \(min(step, steps)) of \(steps)"
    }

    private func progress() async -> JSONValue? {
        let answer = try? await client.get("/sdapi/v1/progress?skip_current_image=true", limit: 1 << 20)
        return answer?.status == 200 ? answer?.json : nil
    }

    /// Does `work`; stops the server's work too when cancelled, if it works for us.
    func interruptingWhenCancelled<Value>(_ work: () async throws -> Value) async throws -> Value {
        do { return try await work() } catch {
            guard Task.isCancelled else { throw error }
            // Awaited at once; a task of its own because this one is cancelled.
            await Task { await interrupt() }.value
            throw CancellationError()
        }
    }

    private func interrupt() async {
        var hasty = client
        hasty.timeout = farewell
        guard case .ours = await SDAPIJob(copying: self, client: hasty).state() else { return }
        _ = try? await hasty.post("/sdapi/v1/interrupt", [:])
    }

    private init(copying other: SDAPIJob, client: ServerClient) {
        id = other.id
        farewell = other.farewell
        self.client = client
        before.withLock { $0 = other.before.withLock { $0 } }
    }
}

extension TaskFailure {
    /// - Parameter known: what the server has instead.
    static func noSuchModel(_ model: String, known: [String], server: String) -> TaskFailure {
        let some = known.prefix(8).joined(separator: ", ")
        return TaskFailure(
            "no_such_model",
            "\(server) has no model '\(model)'.",
            fix: known.isEmpty
                ? "Put its file where the server looks for models."
                : "It has \(some)\(known.count > 8 ? " and \(known.count - 8) more" : "")."
        )
    }
}
