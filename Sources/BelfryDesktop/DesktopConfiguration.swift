// What a person can decide about popups.

public import BelfryCore

/// What a popup is about; rules choose by it.
public enum PopupOccasion: String, Sendable, CaseIterable {
    case progress, completed, failed, cancelled
}

/// Which popups come, when, and what they say.
public struct DesktopConfiguration: Sendable, Hashable {
    /// Whether running tasks have popups. Defaults to true.
    public var showsProgress = true
    /// How long a task has run before its progress is shown. Defaults to 3 seconds.
    public var progressDelay = Duration.seconds(3)
    /// With more running tasks and batches than this, one popup stands for all. Defaults to 3.
    public var aggregateAbove = 3
    /// With more outcomes than this within two seconds, one popup stands for all. Defaults to 3.
    public var summaryAbove = 3
    /// Keeps prompts, file names and pictures out of popups. Defaults to false.
    public var isPrivate = false
    /// Defaults to true: outcomes sound as the desktop's theme says.
    public var playsSounds = true
    /// Defaults to true: a task's picture is its popup's image.
    public var showsPictures = true
    /// When popups are held back, to end in one report. Defaults to never.
    public var quietHours: QuietHours?
    public var texts = PopupTexts()
    /// The first rule that fits a popup decides about it. Defaults to none.
    public var rules: [PopupRule] = []
    /// Belfry's own icon: a name of the icon theme, or a path. Defaults to `belfry`.
    public var icon = "belfry"
    /// What "Open folder" opens. Defaults to nil: no such button.
    public var resultsDirectory: String?

    public init() {}
}

/// What popups say, unless a rule has its own words.
///
/// The titles and the first lines are those of the seed of this project: `sendCompletionNotification` and
/// `sendErrorNotification`.
public struct PopupTexts: Sendable, Hashable {
    /// Defaults to `{title}`.
    public var progressTitle = PopupTemplate.make("{title}")
    /// Defaults to `{feature} · {percent} · {left}` and the feature's own word below.
    public var progressBody = PopupTemplate.make("{feature} · {percent} · {left}\n{message}")
    public var completedTitle = PopupTemplate.make("✨ Generation Complete!")
    public var completedBody = PopupTemplate.make(
        "Your {feature} task has finished successfully.\n{title} · #{number} · {duration}"
    )
    public var failedTitle = PopupTemplate.make("❌ Generation Failed")
    public var failedBody = PopupTemplate.make("{error}\n{title} · #{number} · {duration}")
    public var cancelledTitle = PopupTemplate.make("Cancelled")
    public var cancelledBody = PopupTemplate.make("{title} · #{number} · {duration}")

    public init() {}

    func title(_ occasion: PopupOccasion) -> PopupTemplate {
        switch occasion {
        case .progress: progressTitle
        case .completed: completedTitle
        case .failed: failedTitle
        case .cancelled: cancelledTitle
        }
    }

    func body(_ occasion: PopupOccasion) -> PopupTemplate {
        switch occasion {
        case .progress: progressBody
        case .completed: completedBody
        case .failed: failedBody
        case .cancelled: cancelledBody
        }
    }
}

extension PopupTemplate {
    /// For texts of this file, which are right.
    fileprivate static func make(_ text: String) -> PopupTemplate {
        guard let template = try? PopupTemplate(text, place: "") else {
            preconditionFailure("The built-in text '\(text)' has a placeholder that is not known.")
        }
        return template
    }
}

/// Decides about the popups that all of its conditions fit.
public struct PopupRule: Sendable, Hashable {
    public enum Loudness: Sendable, Hashable {
        /// No popup.
        case none
        case shown(PopupUrgency)
    }

    /// Globs; nil fits all.
    public var feature: Glob?
    public var user: Glob?
    public var origin: Glob?
    /// Nil fits all.
    public var occasion: PopupOccasion?
    /// How long the attempt took at least; a popup without a duration, as progress is, does not fit.
    public var minDuration: Duration?
    /// How long the attempt took at most; a popup without a duration, as progress is, does not fit.
    public var maxDuration: Duration?
    /// Nil leaves what is usual for the occasion.
    public var loudness: Loudness?
    public var title: PopupTemplate?
    public var body: PopupTemplate?

    public init() {}

    func fits(_ task: TaskSummary, _ occasion: PopupOccasion, _ duration: Duration?) -> Bool {
        if let wanted = self.occasion, wanted != occasion { return false }
        if let feature, !feature.matches(task.featureID) { return false }
        if let user, !user.matches(task.userID) { return false }
        if let origin, !origin.matches(task.origin ?? "") { return false }
        return fits(duration)
    }

    private func fits(_ duration: Duration?) -> Bool {
        guard minDuration != nil || maxDuration != nil else { return true }
        guard let duration else { return false }
        return minDuration.map { duration >= $0 } ?? true && maxDuration.map { duration <= $0 } ?? true
    }
}

extension DesktopConfiguration {
    /// The rule for a popup, if one fits.
    func rule(for task: TaskSummary, _ occasion: PopupOccasion, _ duration: Duration?) -> PopupRule? {
        rules.first { $0.fits(task, occasion, duration) }
    }

    /// How loud a popup is; nil is none at all.
    func urgency(for task: TaskSummary, _ occasion: PopupOccasion, _ duration: Duration?) -> PopupUrgency? {
        urgency(for: task, occasion, duration, usual: Self.usualUrgency(occasion))
    }

    /// How loud the popup of a batch is; nil is none at all.
    ///
    /// - Parameters:
    ///   - sample: one of its tasks; nil when none is known.
    ///   - duration: how long the whole batch took.
    func urgency(ofBatchLike sample: TaskSummary?, _ occasion: PopupOccasion, _ duration: Duration?)
        -> PopupUrgency?
    {
        // Unlike a task's, the cancelling of a batch is told: some of its tasks may have ended before.
        let usual: PopupUrgency = occasion == .progress ? .low : .normal
        guard let sample else { return occasion == .progress && !showsProgress ? nil : usual }
        return urgency(for: sample, occasion, duration, usual: usual)
    }

    /// What the submitter wants comes before every rule.
    private func urgency(
        for task: TaskSummary,
        _ occasion: PopupOccasion,
        _ duration: Duration?,
        usual: PopupUrgency?
    ) -> PopupUrgency? {
        switch task.notify {
        case .none: return nil
        case .outcome: if occasion == .progress { return nil }
        case .full: break
        }
        if occasion == .progress, !showsProgress { return nil }
        switch rule(for: task, occasion, duration)?.loudness {
        case .some(.none): return nil
        case .shown(let urgency): return urgency
        case nil: return usual
        }
    }

    private static func usualUrgency(_ occasion: PopupOccasion) -> PopupUrgency? {
        switch occasion {
        case .progress: .low
        case .completed, .failed: .normal
        case .cancelled: nil
        }
    }
}
