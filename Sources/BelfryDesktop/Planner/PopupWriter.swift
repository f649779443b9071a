// Puts into words what is to be shown: the only place where popups get their texts, buttons and pictures.

import BelfryCore

/// Makes popups of what is known of tasks.
struct PopupWriter: Sendable {
    var configuration: DesktopConfiguration
    /// Whose name and icon the tasks of an application carry, by its desktop id.
    var sender: @Sendable (String) -> PopupSender

    init(
        _ configuration: DesktopConfiguration,
        sender: @escaping @Sendable (String) -> PopupSender = {
            PopupSender(name: $0, icon: $0, desktopID: $0)
        }
    ) {
        self.configuration = configuration
        self.sender = sender
    }

    /// Belfry's own popups.
    var own: PopupSender { .belfry(icon: configuration.icon) }

    // MARK: One task

    func progress(_ attempt: RunningAttempt, _ task: TaskSummary, at now: Duration) -> Popup? {
        guard let urgency = configuration.urgency(for: task, .progress, nil) else { return nil }
        let percent = attempt.percent.map { Int($0) }
        let text = words(for: task, .progress, nil) { name in
            switch name {
            case .percent: percent.map { "\($0) %" } ?? "running"
            case .left: attempt.left(at: now).map(Phrases.left) ?? ""
            case .message: attempt.message ?? ""
            default: ""
            }
        }
        return Popup(
            stage: .progress,
            scope: "\(task.id)/\(task.attempt)",
            sender: sender(of: task),
            title: text.title,
            body: attempt.isCancelling ? "Cancelling…" : text.body,
            percent: percent,
            urgency: urgency,
            category: .transfer,
            buttons: attempt.isCancelling ? [] : [.cancel],
            taskID: task.id
        )
    }

    /// A popup that is there already says why nothing goes on.
    func pause(_ pause: RunningAttempt.Pause, _ task: TaskSummary) -> Popup? {
        guard let urgency = configuration.urgency(for: task, .progress, nil) else { return nil }
        let reason = configuration.isPrivate ? "" : pause.error.map { "\($0)\n" } ?? ""
        return Popup(
            stage: .progress,
            scope: "\(task.id)/\(task.attempt)/waiting",
            sender: sender(of: task),
            title: words(for: task, .progress, nil) { _ in "" }.title,
            body: PopupText.body(
                "\(reason)Attempt \(task.attempt) of \(task.maxAttempts) failed; trying again soon"
            ),
            urgency: urgency,
            category: .transfer,
            buttons: [.cancel],
            taskID: task.id
        )
    }

    func outcome(_ outcome: Outcome) -> Popup? {
        let task = outcome.task
        guard let urgency = configuration.urgency(for: task, outcome.occasion, outcome.duration) else {
            return nil
        }
        let text = words(for: task, outcome.occasion, outcome.duration) { name in
            switch name {
            case .error: outcome.error.map(Self.sentence) ?? ""
            case .fix: outcome.error?.fix ?? ""
            case .result: outcome.files.first ?? ""
            case .percent: "\(Int(task.progress)) %"
            default: ""
            }
        }
        let buttons = buttons(for: outcome)
        return Popup(
            stage: .outcome,
            scope: outcome.scope,
            sender: sender(of: task),
            title: text.title,
            body: text.body,
            urgency: urgency,
            category: outcome.occasion == .failed ? .error : .complete,
            sound: sound(outcome.occasion),
            picture: picture(of: outcome),
            buttons: buttons,
            defaultButton: defaultButton(for: outcome, buttons),
            taskID: task.id,
            isTransient: outcome.occasion == .cancelled
        )
    }

    /// The whole error and the end of the log, in place of the outcome.
    func details(of task: BackgroundTask, replacing popup: Popup) -> Popup {
        var parts = [task.error.map(Self.sentence) ?? "The task is \(task.status.rawValue)."]
        parts.append("\(task.title) · #\(task.number)")
        if let fix = task.error?.fix { parts.append("Fix: \(fix)") }
        if let tail = task.error?.logTail, !tail.isEmpty {
            parts.append(tail.split(separator: "\n").suffix(8).joined(separator: "\n"))
        }
        parts.append("belfry log \(task.number)")
        var popup = popup
        popup.body = PopupText.body(parts.joined(separator: "\n"))
        popup.scope += "/details"
        popup.sound = nil
        popup.buttons.removeAll { $0.action == .details }
        popup.defaultButton = nil
        return popup
    }

    private func buttons(for outcome: Outcome) -> [PopupButton] {
        switch outcome.occasion {
        case .completed: outcome.files.isEmpty ? [] : [.open, .showInFolder]
        // Details would tell what is to be kept private.
        case .failed: configuration.isPrivate ? [.retry] : [.retry, .details]
        case .cancelled: [.retry]
        case .progress: []
        }
    }

    private func defaultButton(for outcome: Outcome, _ buttons: [PopupButton]) -> PopupButton? {
        // A click belongs to the program that submitted the task.
        if outcome.task.origin != nil {
            return PopupButton(action: .activate, label: sender(of: outcome.task).name)
        }
        return buttons.first { $0.action == .open || $0.action == .details }
    }

    private func picture(of outcome: Outcome) -> String? {
        guard configuration.showsPictures, !configuration.isPrivate else { return nil }
        return outcome.files.first(where: PictureProbe.isShowable)
    }

    func sound(_ occasion: PopupOccasion) -> String? {
        guard configuration.playsSounds else { return nil }
        switch occasion {
        case .completed: return "complete"
        case .failed: return "dialog-error"
        case .cancelled, .progress: return nil
        }
    }

    private func sender(of task: TaskSummary) -> PopupSender { task.origin.map(sender) ?? own }

    /// The seed's own words for a failure that says nothing.
    private static func sentence(_ error: TaskFailure) -> String {
        error.message.isEmpty ? "An error occurred during generation." : error.message
    }

    private func words(
        for task: TaskSummary,
        _ occasion: PopupOccasion,
        _ duration: Duration?,
        _ special: (PopupTemplate.Name) -> String
    ) -> (title: String, body: String) {
        let rule = configuration.rule(for: task, occasion, duration)
        let name = configuration.isPrivate || task.title.isEmpty ? "" : task.title
        let value = { (placeholder: PopupTemplate.Name) -> String in
            switch placeholder {
            case .feature: task.featureID
            case .title: name
            case .number: "\(task.number)"
            case .duration: duration.map(Phrases.duration) ?? ""
            case .user: task.userID
            case .labels: configuration.isPrivate ? "" : task.labels.joined(separator: ", ")
            case .message: configuration.isPrivate ? "" : special(.message)
            case .error: configuration.isPrivate ? "See: belfry show \(task.number)" : special(.error)
            case .id: "\(task.id)"
            case .origin: task.origin ?? ""
            case .attempt: "\(task.attempt)"
            case .fix, .result: configuration.isPrivate ? "" : special(placeholder)
            case .percent, .left, .count, .done, .failed, .total: special(placeholder)
            }
        }
        let title = PopupText.summary((rule?.title ?? configuration.texts.title(occasion)).filled(value))
        let body = PopupText.body((rule?.body ?? configuration.texts.body(occasion)).filled(value))
        return (title.isEmpty ? "\(task.featureID) #\(task.number)" : title, body)
    }
}
