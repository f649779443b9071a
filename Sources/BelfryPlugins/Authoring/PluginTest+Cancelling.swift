// The case of an attempt that is cancelled. That it ended soon proves nothing by itself, since it may have been done: what
// shows that it was cancelling is that it has no result, where the same example has one when it is left alone.

import BelfryCore

extension PluginTest {
    private enum Moment: Sendable {
        case ended(Trial.Observation)
        case toCancel
    }

    /// - Parameter end: how the example ends when it is left alone.
    func cancellation(
        _ entry: PluginManifest.FeatureEntry,
        _ example: PluginManifest.Example,
        otherwise end: NaturalEnd
    ) async -> Case {
        let name = "ends by itself when it is cancelled"
        let trial: Trial
        do { trial = try self.trial(entry, "cancelled") } catch { return Case(entry.id, name, failed(error)) }
        let (signs, sign) = AsyncStream.makeStream(of: Void.self)
        return await withTaskGroup(of: Moment.self) { group in
            group.addTask { .ended(await trial.observe(example.params) { sign.yield() }) }
            group.addTask {
                await firstSign(signs)
                return .toCancel
            }
            guard case .toCancel = await group.next() else {
                group.cancelAll()
                return Case(entry.id, name, .skipped("it ended before it could be cancelled"))
            }
            let start = clocks.lease.now
            group.cancelAll()
            var hasResult = false
            for await case .ended(let seen) in group { hasResult = seen.hasResult }
            let took = clocks.lease.now - start
            return Case(
                entry.id,
                name,
                judged(took, hasResult: hasResult, otherwise: end),
                seconds: took.seconds
            )
        }
    }

    /// Returns at the first sign of life, or after a while of silence.
    func firstSign(_ signs: AsyncStream<Void>) async {
        await withTaskGroup { group in
            group.addTask { for await _ in signs { return } }
            group.addTask { try? await clocks.sleep(Self.silence) }
            await group.next()
            group.cancelAll()
        }
    }

    private func judged(_ took: Duration, hasResult: Bool, otherwise end: NaturalEnd) -> Case.Outcome {
        let grace = plugin.manifest.limits.cancelGrace
        if took >= grace {
            return .failed(
                "it was still there \(grace.seconds) s after SIGTERM and was killed",
                fix: "End on SIGTERM, or allow for more: \"cancel_grace_s\" in plugin.json."
            )
        }
        if hasResult { return unjudged }
        if end == .failure {
            return .skipped("its example fails, so it is not known whether it was cancelling that ended it")
        }
        return .passed
    }

    /// For a call that had its result although it was cancelled.
    var unjudged: Case.Outcome {
        let grace = JSONValue.double(plugin.manifest.limits.cancelGrace.seconds).text
        return .skipped(
            "it had its result all the same: it was done already, or does not look; "
                + "a first example that takes longer than \(grace) s (cancel_grace_s) tells"
        )
    }
}
