// The arguments of `org.freedesktop.Notifications.Notify` for a popup, fit for what the server can do.
// Types are exact: there are servers that refuse a whole call for one hint of the wrong type.

import BelfryCore
import DBus

/// `Notify` has the signature `susssasa{sv}i`.
enum FreedesktopMessage {
    /// Buttons beside the default action.
    static let maxButtons = 3

    /// What a server makes of a message, beyond what the specification says.
    struct Abilities: Hashable, Sendable {
        var capabilities: Set<String>
        var habits = Habits()
    }

    /// What a server is known to do of its own.
    struct Habits: Hashable, Sendable {
        /// It draws a button for the default action too: the same button again would stand there twice.
        var drawsDefault = false
        /// With `value` it shows the bar and nothing else, as for a volume: no title, text or buttons.
        var showsValueAlone = false

        init() {}

        /// By the name that a server gives in `GetServerInformation`.
        init(of name: String) {
            let isXfce = name == "Xfce Notify Daemon"
            (drawsDefault, showsValueAlone) = (isXfce, isXfce)
        }
    }

    static func arguments(
        _ popup: Popup,
        replacing: UInt32,
        generation: Int,
        abilities: Abilities
    ) -> [DBusValue] {
        let capabilities = abilities.capabilities
        let body = capabilities.contains("body-markup") ? PopupText.escaped(popup.body) : popup.body
        return [
            .string(popup.sender.name),
            .uint32(replacing),
            .string(icon(popup.sender)),
            .string(popup.title),
            .string(body),
            .strings(capabilities.contains("actions") ? actions(of: popup, generation, abilities) : []),
            .properties(hints(of: popup, abilities.habits)),
            // Progress stays until it is replaced; how long outcomes stay is the server's affair.
            .int32(popup.stage == .progress ? 0 : -1),
        ]
    }

    /// A name of the icon theme, or a URI.
    private static func icon(_ sender: PopupSender) -> String {
        sender.icon.hasPrefix("/") ? FileURI.make(sender.icon) : sender.icon
    }

    /// Keys and labels in turn.
    private static func actions(of popup: Popup, _ generation: Int, _ abilities: Abilities) -> [String] {
        let byDefault = popup.defaultButton.map { [PopupActionKey.default, $0.label] } ?? []
        let buttons = popup.buttons.filter { !abilities.habits.drawsDefault || $0 != popup.defaultButton }
        return byDefault
            + buttons.prefix(maxButtons).flatMap {
                [PopupActionKey($0.action, generation: generation).description, $0.label]
            }
    }

    private static func hints(of popup: Popup, _ habits: Habits) -> [(String, DBusValue)] {
        var hints: [(String, DBusValue)] = [
            ("urgency", .byte(popup.urgency.rawValue)),
            ("category", .string(popup.category.rawValue)),
            ("desktop-entry", .string(popup.sender.desktopID ?? "belfry")),
        ]
        if let percent = popup.percent, !habits.showsValueAlone {
            hints.append(("value", .int32(Int32(min(100, max(0, percent))))))
        }
        if let sound = popup.sound {
            hints.append(("sound-name", .string(sound)))
        } else {
            hints.append(("suppress-sound", .boolean(true)))
        }
        if let picture = popup.picture { hints.append(("image-path", .string(FileURI.make(picture)))) }
        if popup.isTransient { hints.append(("transient", .boolean(true))) }
        if let task = popup.taskID { hints.append(("x-belfry-task", .string("\(task)"))) }
        return hints
    }
}
