// Why a popup was not shown, as the errors of a bus tell it.

import DBus

/// A popup that was not shown.
struct NotifyError: Error, Sendable {
    var failure: NotifyFailure
    var reason: String
}

extension NotifyError {
    /// - Parameter isOwnerWatched: whether the server's coming is signalled. One that is absent and is not
    ///   watched has as good as refused: else it would be asked again and again.
    init(_ error: any Error, isOwnerWatched: Bool) {
        guard let error = error as? DBusError else {
            self.init(failure: .gone, reason: "\(error)")
            return
        }
        let failure: NotifyFailure
        switch error.name {
        // KDE's word for it; the specification has none.
        case let name where name.hasSuffix(".ExcessNotificationGeneration"): failure = .excess
        case DBusError.noReply, DBusError.timedOut: failure = .timedOut
        case DBusError.disconnected: failure = .gone
        case DBusError.serviceUnknown where isOwnerWatched: failure = .gone
        case DBusError.nameHasNoOwner where isOwnerWatched: failure = .gone
        default: failure = .refused(error.message)
        }
        self.init(failure: failure, reason: error.description)
    }
}
