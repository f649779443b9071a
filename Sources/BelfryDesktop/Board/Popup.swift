// A popup as Belfry thinks of it, before any server's protocol: what it stands for, what it says and
// what its buttons do.

import BelfryCore

/// What a popup stands for; the same key is always the same popup on the screen.
enum PopupKey: Hashable, Sendable {
    case task(TaskID)
    case batch(BatchID)
    /// All that is running, when that is too much for popups of their own.
    case running
    /// Several outcomes in one, counted from 1.
    case summary(Int)
    /// What `belfry sink test desktop` shows, counted from 1.
    case test(Int)
}

/// What one popup is to say.
///
/// Texts are clean (see ``PopupText``) and not yet escaped, so that two popups that look the same are equal.
struct Popup: Hashable, Sendable {
    enum Stage: Hashable, Sendable {
        /// The work goes on: updated often, gone when the hub ends.
        case progress
        /// The work is over: stays until the person has seen it.
        case outcome
    }

    /// The categories of the Desktop Notifications Specification that fit long jobs.
    enum Category: String, Sendable {
        case transfer
        case complete = "transfer.complete"
        case error = "transfer.error"
    }

    var stage: Stage
    /// What the buttons act on, such as one attempt of a task: a click that was meant for another scope is stale.
    var scope: String
    /// The program that submitted the task, or Belfry.
    var sender: PopupSender
    var title: String
    var body: String
    /// 0…100 while there is a bar to draw.
    var percent: Int?
    var urgency: PopupUrgency
    var category: Category
    /// A name of the Sound Naming Specification; nil is silence.
    var sound: String?
    /// The path of a picture.
    var picture: String?
    /// The most important first.
    var buttons: [PopupButton] = []
    /// What a click on the popup itself does.
    var defaultButton: PopupButton?
    var taskID: TaskID?
    /// Not worth keeping in the server's history.
    var isTransient = false
}

/// Whose name and icon a popup carries.
struct PopupSender: Hashable, Sendable {
    var name: String
    /// An icon's name or path.
    var icon: String
    /// The desktop id, without `.desktop`; nil for Belfry itself.
    var desktopID: String?

    static func belfry(icon: String) -> PopupSender {
        PopupSender(name: "Belfry", icon: icon, desktopID: nil)
    }
}

/// How loud a popup is, as the specification's byte.
public enum PopupUrgency: UInt8, Hashable, Sendable {
    case low = 0
    case normal = 1
    case critical = 2
}

/// What a click does.
enum PopupAction: String, Hashable, Sendable {
    case cancel
    case retry
    case open
    case showInFolder = "show"
    case details
    case retryFailed = "retry-failed"
    case openFolder = "folder"
    /// Brings up the program that submitted the task.
    case activate
}

/// An action and what it is called.
struct PopupButton: Hashable, Sendable {
    var action: PopupAction
    var label: String

    static let cancel = PopupButton(action: .cancel, label: "Cancel")
    static let retry = PopupButton(action: .retry, label: "Retry")
    static let open = PopupButton(action: .open, label: "Open")
    static let showInFolder = PopupButton(action: .showInFolder, label: "Show in folder")
    static let details = PopupButton(action: .details, label: "Details")
    static let retryFailed = PopupButton(action: .retryFailed, label: "Retry failed")
    static let openFolder = PopupButton(action: .openFolder, label: "Open folder")
}
