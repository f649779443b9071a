// Popups that stand for many tasks: batches, everything that runs, bursts of outcomes, reports.

import BelfryCore

extension PopupWriter {
    /// - Parameter sample: one of its tasks, for the rules.
    func batchProgress(_ batch: TaskBatch, like sample: TaskSummary?, percent: Int, left: Duration?) -> Popup?
    {
        guard let urgency = configuration.urgency(ofBatchLike: sample, .progress, nil) else { return nil }
        var parts = ["\(batch.finished) of \(batch.total)"]
        if batch.failed > 0 { parts[0] += ", \(batch.failed) failed" }
        parts.append("\(percent) %")
        if let left { parts.append(Phrases.left(left)) }
        let rule = sample.flatMap { configuration.rule(for: $0, .progress, nil) }
        return Popup(
            stage: .progress,
            scope: "\(batch.id)",
            sender: own,
            title: rule?.title.map { heading($0, of: batch, like: sample) } ?? title(of: batch),
            body: parts.joined(separator: " · "),
            percent: percent,
            urgency: urgency,
            category: .transfer,
            buttons: [.cancel]
        )
    }

    /// - Parameters:
    ///   - sample: one of its tasks, for the rules.
    ///   - time: when it was over, as it can be so several times.
    func batchOutcome(_ batch: TaskBatch, like sample: TaskSummary?, duration: Duration?, at time: Timestamp)
        -> Popup?
    {
        let failed = batch.failed > 0
        let occasion: PopupOccasion = failed ? .failed : batch.cancelled > 0 ? .cancelled : .completed
        guard let urgency = configuration.urgency(ofBatchLike: sample, occasion, duration) else { return nil }
        let rule = sample.flatMap { configuration.rule(for: $0, occasion, duration) }
        let words = rule?.title ?? configuration.texts.title(occasion)
        return Popup(
            stage: .outcome,
            scope: "\(batch.id)/\(time.milliseconds)",
            sender: own,
            title: heading(words, of: batch, like: sample, duration),
            body: PopupText.body(counts(of: batch, duration)),
            urgency: urgency,
            category: failed ? .error : .complete,
            sound: sound(occasion),
            buttons: (failed ? [.retryFailed] : []) + folderButton,
            defaultButton: folderButton.first
        )
    }

    private func counts(of batch: TaskBatch, _ duration: Duration?) -> String {
        var parts = ["\(batch.completed) of \(batch.total) done"]
        if batch.failed > 0 { parts.append("\(batch.failed) failed") }
        if batch.cancelled > 0 { parts.append("\(batch.cancelled) cancelled") }
        let line = parts.joined(separator: ", ") + (duration.map { " · \(Phrases.duration($0))" } ?? "")
        return line + "\n" + title(of: batch)
    }

    /// A title in a person's own words, of what is known of a batch.
    private func heading(
        _ template: PopupTemplate,
        of batch: TaskBatch,
        like sample: TaskSummary?,
        _ duration: Duration? = nil
    ) -> String {
        let text = template.filled { name in
            switch name {
            case .count, .total: "\(batch.total)"
            case .done: "\(batch.completed)"
            case .failed: "\(batch.failed)"
            case .title: title(of: batch)
            case .duration: duration.map(Phrases.duration) ?? ""
            case .feature: sample?.featureID ?? ""
            case .user: sample?.userID ?? ""
            default: ""
            }
        }
        let heading = PopupText.summary(text)
        return heading.isEmpty ? title(of: batch) : heading
    }

    /// - Parameters:
    ///   - features: how many run of each feature, the most first.
    ///   - percent: the mean over all; nil when none of them tells.
    func running(_ count: Int, features: [(name: String, count: Int)], percent: Int?) -> Popup {
        let names = features.prefix(3).map { "\($0.count) × \($0.name)" }.joined(separator: ", ")
        return Popup(
            stage: .progress,
            scope: "running",
            sender: own,
            title: count == 1 ? "1 task is running" : "\(count) tasks are running",
            body: PopupText.body(names + (percent.map { "\n\($0) % on average" } ?? "")),
            percent: percent,
            urgency: .low,
            category: .transfer
        )
    }

    /// - Parameter isReport: it ends a time in which popups were held back.
    func summary(_ tally: OutcomeTally, number: Int, isReport: Bool) -> Popup {
        var title =
            isReport
            ? "\(tally.completed) done" : "\(tally.count) \(tally.count == 1 ? "task" : "tasks") finished"
        if tally.failed > 0 { title += ", \(tally.failed) failed" }
        if tally.cancelled > 0 { title += ", \(tally.cancelled) cancelled" }
        var lines: [String] = []
        if !configuration.isPrivate {
            lines = tally.lines.map { "\($0.isFailure ? "✗" : "✓") \(PopupText.summary($0.text))" }
            if tally.count > lines.count, !lines.isEmpty {
                lines.append("and \(tally.count - lines.count) more")
            }
        }
        return Popup(
            stage: .outcome,
            scope: "summary/\(number)/\(tally.failed)",
            sender: own,
            title: title,
            body: PopupText.body(lines.joined(separator: "\n")),
            urgency: .normal,
            category: tally.failed > 0 ? .error : .complete,
            sound: configuration.playsSounds ? (tally.failed > 0 ? "dialog-error" : "complete") : nil,
            buttons: (tally.failed > 0 ? [.retryFailed] : []) + folderButton,
            defaultButton: folderButton.first
        )
    }

    private var folderButton: [PopupButton] { configuration.resultsDirectory == nil ? [] : [.openFolder] }

    private func title(of batch: TaskBatch) -> String {
        let name = configuration.isPrivate ? "" : PopupText.summary(batch.title)
        return name.isEmpty ? "Batch of \(batch.total)" : name
    }
}
