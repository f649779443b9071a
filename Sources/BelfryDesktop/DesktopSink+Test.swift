// `belfry sink test desktop`: every kind of popup on the person's own desktop, and in words what its
// server can and cannot do.

import BelfryCore

/// What a desktop's server has shown and can do.
public struct DesktopReport: Sendable {
    public struct Ability: Sendable, Hashable {
        /// In a sentence for people.
        public var what: String
        public var has: Bool
    }

    public var server: ServerDescription
    /// The kinds of popups that were sent.
    public var shown: [String]
    public var abilities: [Ability]

    init(_ server: ServerDescription, shown: [String]) {
        self.server = server
        self.shown = shown
        let capabilities = server.capabilities
        func ability(_ name: String, yes: String, no: String) -> Ability {
            let has = capabilities.contains(name)
            return Ability(what: has ? yes : no, has: has)
        }
        abilities = [
            ability(
                "actions",
                yes: "Popups have buttons.",
                no: "Popups have no buttons: use belfry cancel, retry and show."
            ),
            ability("body", yes: "Popups have a text below the title.", no: "Popups have a title only."),
            ability(
                "persistence",
                yes: "Popups are kept in a list until you have seen them.",
                no: "Popups that have gone are gone; belfry list tells what happened."
            ),
            ability("sound", yes: "Popups can sound.", no: "Popups are silent."),
            ability(
                "icon-static",
                yes: "Popups can have an icon.",
                no: "Whether popups have icons is not told."
            ),
            ability(
                "body-markup",
                yes: "The text may have markup; names are escaped for it.",
                no: "The text is plain."
            ),
        ]
    }
}

extension DesktopSink {
    /// Shows each kind of popup. Their buttons say that they were clicked.
    ///
    /// - Throws: ``BelfryError`` `no_server` when popups reach nobody now.
    public func test() async throws -> DesktopReport {
        let server: ServerDescription?
        do { server = try await director.describeServer() } catch {
            throw BelfryError(
                BelfryError.Code("no_server"),
                "The notification server does not answer: \(error.reason)",
                fix: "Restart it, or your session."
            )
        }
        guard let server else {
            throw BelfryError(
                BelfryError.Code("no_server"),
                "There is no notification server for the hub's session.",
                fix:
                    "Start one (such as dunst) in your session; a hub that was started elsewhere finds it by DBUS_SESSION_BUS_ADDRESS or $XDG_RUNTIME_DIR/bus."
            )
        }
        let popups = Self.examples(icon: director.parts.configuration.icon)
        for (number, example) in popups.enumerated() {
            await director.showAnew(example.popup, for: .test(number + 1))
        }
        return DesktopReport(server, shown: popups.map(\.name))
    }

    private static func examples(icon: String) -> [(name: String, popup: Popup)] {
        [
            (
                "a running task, at 42 %",
                example(
                    icon,
                    "A lighthouse at dusk",
                    "text-to-image · 42 % · about 2 min left",
                    42,
                    [.cancel]
                )
            ),
            (
                "a task that is done",
                example(
                    icon,
                    "✨ Generation Complete!",
                    "Your text-to-image task has finished successfully.\nA lighthouse at dusk · #1 · 3 min 12 s",
                    nil,
                    [.open, .showInFolder]
                )
            ),
            (
                "a task that failed",
                example(
                    icon,
                    "❌ Generation Failed",
                    "The disk is full.\nA lighthouse at dusk · #1 · 12 s",
                    nil,
                    [.retry, .details],
                    .error
                )
            ),
            (
                "a batch",
                example(
                    icon,
                    "Holiday pictures",
                    "7 of 12, 1 failed · 58 % · about 4 min left",
                    58,
                    [.cancel]
                )
            ),
            (
                "a summary",
                example(
                    icon,
                    "12 tasks finished, 1 failed",
                    "✓ A lighthouse at dusk\n✗ A forest in spring\nand 10 more",
                    nil,
                    [.retryFailed, .openFolder],
                    .error
                )
            ),
        ]
    }

    private static func example(
        _ icon: String,
        _ title: String,
        _ body: String,
        _ percent: Int?,
        _ buttons: [PopupButton],
        _ category: Popup.Category = .complete
    ) -> Popup {
        Popup(
            stage: .outcome,
            scope: "test/\(title)",
            sender: .belfry(icon: icon),
            title: title,
            body: body,
            percent: percent,
            urgency: percent == nil ? .normal : .low,
            category: percent == nil ? category : .transfer,
            buttons: buttons
        )
    }
}
