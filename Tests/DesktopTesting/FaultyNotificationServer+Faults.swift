// The faults, each set with one call at any time.

public import DBus

extension FaultyNotificationServer {
    /// What the server does wrong at present.
    struct Faults: Sendable {
        var capabilities: [String] = []
        var answersNewIDs = false
        var refusesUnknownClose = false
        var failuresLeft = 0
        var failure: DBusError?
        var beforeReply: [NotificationSignal] = []
        var heldMethods: Set<Method> = []
        var showsWhenHeld = false
        var held: [Held] = []
        var lastTicket = 0
    }

    /// A call that waits for ``FaultyNotificationServer/release()``.
    struct Held: Sendable {
        var ticket: Int
        /// What the person sees once it is let go on; nil when it is seen already.
        var change: (@Sendable (inout State) -> Void)?
    }

    /// KDE's answer to too many updates.
    public static let excess = DBusError(
        name: "org.freedesktop.Notifications.Error.ExcessNotificationGeneration",
        message: "Created too many similar notifications in quick succession"
    )

    /// What `GetCapabilities` answers from now on.
    public var capabilities: [String] {
        get { state.value.faults.capabilities }
        set { state.update { $0.faults.capabilities = newValue } }
    }

    /// A replaced notification gets a new id, as with GNOME, mako and swaync.
    public var answersNewIDs: Bool {
        get { state.value.faults.answersNewIDs }
        set { state.update { $0.faults.answersNewIDs = newValue } }
    }

    /// Closing what is not open is answered with an error, as the specification wants and few servers do.
    public var refusesUnknownClose: Bool {
        get { state.value.faults.refusesUnknownClose }
        set { state.update { $0.faults.refusesUnknownClose = newValue } }
    }

    /// The next `count` calls of `Notify` answer `error`.
    public func failNext(_ count: Int = 1, _ error: DBusError) {
        state.update {
            $0.faults.failuresLeft = count
            $0.faults.failure = error
        }
    }

    /// Every `Notify` answers `error` until ``succeed()``.
    public func failAlways(_ error: DBusError) { failNext(.max, error) }

    /// Ends ``failNext(_:_:)`` and ``failAlways(_:)``.
    public func succeed() {
        state.update {
            $0.faults.failuresLeft = 0
            $0.faults.failure = nil
        }
    }

    /// Calls hang from now on: they are recorded as they arrive and answered by ``release()``.
    ///
    /// - Parameters:
    ///   - methods: which of them hang. Defaults to all.
    ///   - shown: whether a popup appears at once and only the answer is late; else it appears with the
    ///     answer, as it does with a process that is stopped. Defaults to false.
    public func hold(_ methods: Set<Method> = Set(Method.allCases), shown: Bool = false) {
        state.update {
            $0.faults.heldMethods = methods
            $0.faults.showsWhenHeld = shown
        }
    }

    /// Calls are answered again, the held ones now.
    public func release() {
        state.update {
            $0.faults.heldMethods = []
            // Popups appear in the order of the calls, whatever order the answers are sent in.
            for held in $0.faults.held { held.change?(&$0) }
            $0.faults.held = []
        }
    }

    /// The calls that hang now.
    public var heldCount: Int { state.value.faults.held.count }

    /// These signals are sent for the id of the next accepted `Notify`, right before its answer.
    public func signalJustBeforeReply(_ signals: NotificationSignal...) {
        state.update { $0.faults.beforeReply = signals }
    }
}
