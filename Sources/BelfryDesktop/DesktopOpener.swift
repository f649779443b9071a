// The one way out of a popup into another program: its Open button, its click. A protocol, because only
// the hub knows how processes are started, and a test wants none.

/// Opens what a popup offers, with the person's own programs.
///
/// An implementation returns once the program is started, not when it ends; what it starts outlives the
/// hub. It refuses, with a ``BelfryError``, what is not there to be opened.
public protocol DesktopOpener: Sendable {
    /// Opens a URI with the person's program for it.
    ///
    /// - Parameters:
    ///   - uri: `file:`, `http:` or `https:`; a file must exist.
    ///   - token: the activation token that came with the click, so that the window may take the focus.
    /// - Throws: ``BelfryError`` with what to do about it.
    func open(_ uri: String, token: String?) async throws

    /// Starts a program by its desktop id, such as `org.gimp.GIMP`.
    ///
    /// - Throws: ``BelfryError`` with what to do about it.
    func launch(_ desktopID: String, token: String?) async throws
}
