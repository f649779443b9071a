// The cases of an observer: an event of each kind, a gap, and how it ends.

import BelfryCore

extension PluginTest {
    private var id: String { plugin.manifest.id }

    /// Hands a sample of each kind that it hears to the observer, one after the other.
    func testObserver(_ tell: (Case) -> Void) async {
        var plugin = plugin
        let patience = min(plugin.manifest.observation.answerTimeout, configuration.timeout)
        plugin.manifest.observation.answerTimeout = patience
        let trial = ObserverTrial(
            plugin,
            launcher: configuration.launcher,
            environment: configuration.environment,
            secrets: configuration.secrets,
            clocks: clocks
        )
        let served = await trial.serve {
            for batch in batches(trial.samples) {
                let name =
                    batch.gap == nil ? "answers \(batch.events[0].kind.rawValue)" : "goes on after a gap"
                let start = clocks.lease.now
                let answer = await trial.deliver(batch)
                let seconds = (clocks.lease.now - start).seconds
                tell(Case(id, name, outcome(answer), seconds: seconds))
                // It has crashed or hangs: what comes next would say the same.
                if case .none = answer { return }
            }
        }
        tell(Case(id, "says only lines of the protocol on stdout", cleanness(trial.garbage)))
        tell(farewell(served.farewell, grace: ObserverPluginSink.farewell))
    }

    private func batches(_ samples: [EventRecord]) -> [SinkBatch] {
        guard let last = samples.last else { return [] }
        let (from, to) = (last.position + 1, last.position + 9)
        let log = SampleEvents()
        let next = log.record(last.kind, at: to + 1)
        return samples.map { SinkBatch(events: [$0]) }
            + [SinkBatch(gap: log.gap(from: from, to: to), events: [next])]
    }

    private func outcome(_ answer: ObserverTrial.Answer) -> Case.Outcome {
        switch answer {
        case .ack: .passed
        case .reject(let reason): .warned("it rejected the sample: \(reason)", fix: nil)
        case .retry(let reason): .warned("it asked for the sample again: \(reason)", fix: nil)
        case .none(let reason):
            .failed(
                reason,
                fix:
                    "Answer each line that has a position: {\"ack\":POSITION}, \"retry\" or \"reject\"; skip others."
            )
        }
    }
}
