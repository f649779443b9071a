// Popups on the desktop: the sink that the service and the composition root see.

public import BelfryCore
public import DBus
public import Logging
public import ServiceLifecycle
import Synchronization

/// Shows how tasks stand as popups on the person's desktop.
///
/// The sink follows state: an event is delivered when it has been considered, whether or not a popup could
/// be shown, so no server, no bus or a hung one holds up anything. What could not be shown ends in one
/// summary. `run()` keeps the connection; it is a service beside the sink's runner, and must end after it.
public final class DesktopSink: Sink, Service {
    /// What a sink is made of.
    public struct Parts: Sendable {
        public var configuration: DesktopConfiguration
        /// What the buttons act through.
        public var control: any TaskControl
        public var opener: any DesktopOpener
        public var clocks: Clocks
        public var logger: Logger
        /// Where the session bus is; nil while there is none.
        public var address: @Sendable () -> DBusAddress?
        /// How long a call may take. Defaults to 5 seconds.
        public var timeout = Duration.seconds(5)
        /// Defaults to what the environment says.
        public var isSandboxed: Bool
        /// A file that remembers which popups are on the screen, for the next hub if this one is killed.
        /// Defaults to nil: nothing is remembered.
        public var leftoversPath: String?
        let applications: DesktopEntries

        /// - Parameter environment: tells of the session bus, of a sandbox and of where applications are.
        public init(
            configuration: DesktopConfiguration,
            control: any TaskControl,
            opener: any DesktopOpener,
            environment: [String: String],
            clocks: Clocks = Clocks(),
            logger: Logger
        ) {
            self.configuration = configuration
            self.control = control
            self.opener = opener
            self.clocks = clocks
            self.logger = logger
            address = { .session }
            isSandboxed = ServerChoice.isSandboxed(environment: environment)
            applications = DesktopEntries(environment: environment)
        }

        var choice: ServerChoice {
            ServerChoice(isSandboxed: isSandboxed, timeout: timeout, clock: clocks.lease, logger: logger)
        }

        /// An application's own name and icon, as its desktop entry has them.
        func sender(_ origin: String) -> PopupSender {
            let id = origin.hasSuffix(".desktop") ? String(origin.dropLast(8)) : origin
            let entry = applications.entry(id)
            // A server reads what an icon's path names; a submitter's word may only be a name.
            let icon = entry?.icon ?? (DesktopEntries.isValid(id) ? id : configuration.icon)
            return PopupSender(name: entry?.name ?? id, icon: icon, desktopID: id)
        }
    }

    public let name = "desktop"
    public let wantsProgress: Bool
    /// A first run does not tell what happened before it.
    public let start = SinkStart.now
    let director: PopupDirector

    public init(_ parts: Parts) {
        wantsProgress = parts.configuration.showsProgress
        director = PopupDirector(parts)
    }

    public var remark: String? { director.absence.withLock { $0 } }

    public func deliver(_ batch: SinkBatch) async throws { try await director.take(batch) }

    /// Takes away the popups of what runs, and leaves those of what is over; half a second at the most.
    public func close() async { await director.close() }

    public func run() async { await cancelWhenGracefulShutdown { await self.director.run() } }
}
